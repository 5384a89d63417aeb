package api

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"corrosion/api/deadletter"
	"corrosion/api/platform"
	"corrosion/api/store"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// withPlatform serves what administrators do over real stores; natsURL may be empty.
func withPlatform(t *testing.T, pool *pgxpool.Pool, natsURL string) func(*Config, *Deps) {
	t.Helper()
	service, err := platform.New(platform.Deps{Store: store.New(pool), ClickHouse: schematest.ClickHouse(t), Quotas: schema.DefaultQuotas()})
	if err != nil {
		t.Fatal(err)
	}
	return func(_ *Config, d *Deps) {
		d.Platform = service
		if natsURL == "" {
			return
		}
		conn, err := nats.Connect(natsURL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		if d.DeadLetters, err = deadletter.NewOffice(conn); err != nil {
			t.Fatal(err)
		}
	}
}

// administrators is a server with people and a platform on real stores, with an administrator signed in.
type administrators struct {
	*people
	token   string
	account string
}

func openAdministrators(t *testing.T) *administrators {
	t.Helper()
	natsURL := localtest.NewNATS(t).URL()
	pool := schematest.Postgres(t)
	p := openPeopleOn(t, pool, nil, withPlatform(t, pool, natsURL))
	p.signUp("admin@example.org")
	if _, err := p.pool.Exec(t.Context(), "UPDATE users SET platform_admin = true WHERE email = 'admin@example.org'"); err != nil {
		t.Fatal(err)
	}
	tokens := p.login("admin@example.org", goodPassword)
	var me MeBody
	p.send("GET", mePath, tokens.AccessToken, nil).ok(t, 200, &me)
	p.clock.pass(time.Second)
	return &administrators{p, tokens.AccessToken, me.AccountID.String()}
}
