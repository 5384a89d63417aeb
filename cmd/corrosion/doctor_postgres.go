package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"corrosion/schema"
	"corrosion/schema/connect/stores"
)

// leastPostgres is the oldest release that every query was run on.
const leastPostgres = "15"

// leastConnections is what one machine's roles open at most, with room for an operator.
const leastConnections = 50

// postgresFacts says in one row what roles need of the server.
const postgresFacts = `
SELECT has_database_privilege(current_database(), 'CREATE'), has_schema_privilege('public', 'CREATE'), pg_is_in_recovery(),
       current_setting('max_connections')::int, clock_timestamp()`

// checkPostgres checks the server that answers for the URL.
func (c *doctorCommand) checkPostgres(ctx context.Context) []finding {
	f := finding{what: "postgres", todo: "check --postgres-url, the user's password, sslmode and that the server listens"}
	conn, err := stores.PostgresConn(ctx, c.PostgresURL)
	if err != nil {
		f.saw = err.Error()
		return []finding{f}
	}
	defer conn.Close(ctx)
	version := conn.PgConn().ParameterStatus("server_version")
	f.saw, f.todo = version, ""
	if !atLeast(version, leastPostgres) {
		f.todo = "install Postgres " + leastPostgres + " or newer"
	}
	host := conn.Config().Host
	var state *tls.ConnectionState
	if secured, ok := conn.PgConn().Conn().(*tls.Conn); ok {
		now := secured.ConnectionState()
		state = &now
	}
	found := []finding{f, certificate("postgres", host, state)}
	found = append(found, postgresServer(ctx, conn)...)
	return append(found, schemaVersion(ctx, "postgres", c.PostgresURL, schema.PostgresVersion), licenses(ctx, conn))
}

func postgresServer(ctx context.Context, conn *pgx.Conn) []finding {
	var database, public, replica bool
	var connections int
	var now time.Time
	before := time.Now()
	if err := conn.QueryRow(ctx, postgresFacts).Scan(&database, &public, &replica, &connections, &now); err != nil {
		return []finding{{"postgres", err.Error(), "let the user read the server's settings"}}
	}
	found := []finding{clockOf("postgres", conn.Config().Host, now, before)}
	if replica {
		found = append(found, finding{"postgres", "this server is a standby and takes no writes", "name the primary, or give all hosts with target_session_attrs=read-write"})
	}
	if !public {
		found = append(found, finding{"postgres", "the user may not make tables", "make it the owner of the database: ALTER DATABASE … OWNER TO …"})
	}
	if connections < leastConnections {
		found = append(found, finding{"postgres", fmt.Sprintf("max_connections is %d", connections), fmt.Sprintf("set max_connections to %d or more", leastConnections)})
	}
	return found
}

func licenses(ctx context.Context, conn *pgx.Conn) finding {
	var licenses int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM licenses").Scan(&licenses); err != nil {
		return finding{"postgres", err.Error(), "run `corrosion migrate`"}
	}
	return finding{what: "postgres", saw: fmt.Sprintf("%d licenses", licenses)}
}
