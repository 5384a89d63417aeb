package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/schema/connect"
	"corrosion/schema/connect/stores"
)

// serviceFiles sign in at the services and prove who they are. Each is read again for every new connection.
type serviceFiles struct {
	NATSPasswordFile       string `name:"nats-password-file" env:"CORROSION_NATS_PASSWORD_FILE" help:"Password of the user in --nats-url."`
	NATSCredsFile          string `name:"nats-creds-file" env:"CORROSION_NATS_CREDS_FILE" help:"JWT and seed of the NATS user, as nsc writes them, instead of user and password."`
	NATSCAFile             string `name:"nats-ca-file" env:"CORROSION_NATS_CA_FILE" help:"Authorities that vouch for NATS, PEM; given = TLS."`
	NATSCertFile           string `name:"nats-cert-file" env:"CORROSION_NATS_CERT_FILE" help:"Client certificate for NATS, PEM; with --nats-key-file."`
	NATSKeyFile            string `name:"nats-key-file" env:"CORROSION_NATS_KEY_FILE" help:"Its key, PEM."`
	ClickHousePasswordFile string `name:"clickhouse-password-file" env:"CORROSION_CLICKHOUSE_PASSWORD_FILE" help:"Password of the user in --clickhouse-url and --clickhouse-http-url."`
	ClickHouseCAFile       string `name:"clickhouse-ca-file" env:"CORROSION_CLICKHOUSE_CA_FILE" help:"Authorities that vouch for ClickHouse, PEM; given = TLS."`
	ClickHouseCertFile     string `name:"clickhouse-cert-file" env:"CORROSION_CLICKHOUSE_CERT_FILE" help:"Client certificate for ClickHouse, PEM; with --clickhouse-key-file."`
	ClickHouseKeyFile      string `name:"clickhouse-key-file" env:"CORROSION_CLICKHOUSE_KEY_FILE" help:"Its key, PEM."`
	PostgresPasswordFile   string `name:"postgres-password-file" env:"CORROSION_POSTGRES_PASSWORD_FILE" help:"Password of the user in --postgres-url."`
	PostgresCAFile         string `name:"postgres-ca-file" env:"CORROSION_POSTGRES_CA_FILE" help:"Authorities that vouch for Postgres, PEM; given = sslmode=verify-full unless the URL says otherwise."`
	PostgresCertFile       string `name:"postgres-cert-file" env:"CORROSION_POSTGRES_CERT_FILE" help:"Client certificate for Postgres, PEM; with --postgres-key-file."`
	PostgresKeyFile        string `name:"postgres-key-file" env:"CORROSION_POSTGRES_KEY_FILE" help:"Its key, PEM."`
}

func (f serviceFiles) clickHouse() connect.Files {
	return connect.Files{Password: f.ClickHousePasswordFile, CA: f.ClickHouseCAFile, Cert: f.ClickHouseCertFile, Key: f.ClickHouseKeyFile}
}

// openPool opens Postgres for a command.
func (s *services) openPool(ctx context.Context) (*pgxpool.Pool, error) {
	return stores.PostgresPool(ctx, s.PostgresURL, nil)
}
