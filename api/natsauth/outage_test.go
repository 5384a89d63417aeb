package natsauth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"corrosion/api/account"
	"corrosion/api/natsauth"
	"corrosion/api/platform"
	"corrosion/api/store"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// While nobody answers logins, connections go on and new ones are refused clearly; afterwards all is as before.
func TestCalloutDown(t *testing.T) {
	pool := schematestPool(t)
	w := newWorld(t, pool)
	var err error
	if w.keys, err = natsauth.LoadOrCreateKeys(t.TempDir() + "/keys.json"); err != nil {
		t.Fatal(err)
	}
	config, err := w.keys.ServerConfig()
	if err != nil {
		t.Fatal(err)
	}
	w.stock = localtest.NewStockNATS(t, strings.Replace(config, "timeout: 10", "timeout: 1", 1))
	w.url, w.platform = w.stock.URL(), fmt.Sprintf("nats://%s:%s@%s", w.keys.PlatformUser, w.keys.PlatformPassword, w.stock.Addr())
	connections := natsauth.NewSystemConnections(w.own(w.keys.SystemUser, w.keys.SystemPassword), w.keys.Account)
	w.startCallout(connections, natsauth.DefaultCalloutConfig())
	mine := w.license()
	stream := w.stats(w.asPlatform())
	game := w.connect(mine.NATSUser, mine.NATSPassword)
	if err := w.callout.Close(); err != nil {
		t.Fatal(err)
	}
	if err := game.Publish(schema.StatsSubject(mine.LicenseID), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() error { return arrived(w.stored(stream), 1) })
	if c, err := w.dial(mine.NATSUser, mine.NATSPassword, nats.Timeout(patience)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a new connection: got %v, %v", c, err)
	}
	waiting, err := w.dial(mine.NATSUser, mine.NATSPassword, nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := game.lost(0); err == nil {
		t.Error("a live connection was ended")
	}
	w.startCallout(connections, natsauth.DefaultCalloutConfig())
	w.eventually(waiting.back)
	w.connect(mine.NATSUser, mine.NATSPassword)
}

// schematestPool is a pool on a migrated database of its own.
func schematestPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return poolOn(t, localtest.PostgresURL(t))
}

// poolOn migrates a database and opens it.
func poolOn(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	if _, err := schema.MigratePostgres(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// While Postgres is away, connections go on, users who were seen lately come back, and the others wait without an
// authorization error until it is there again.
func TestPostgresAway(t *testing.T) {
	for name, start := range map[string]func(testing.TB, *pgxpool.Pool) *world{"Local": newLocalWorld, "Stock": newStockWorld} {
		t.Run(name, func(t *testing.T) {
			server := localtest.NewPostgres(t)
			w := start(t, poolOn(t, server.URL()))
			known, stranger := w.license(), w.license()
			game := w.connect(known.NATSUser, known.NATSPassword)
			server.Stop(t)
			w.connect(known.NATSUser, known.NATSPassword)
			if c, err := w.dial(stranger.NATSUser, stranger.NATSPassword); err == nil || errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("a user not seen before: got %v, %v; want a lost connection and no authorization error", c, err)
			}
			waiting, err := w.dial(stranger.NATSUser, stranger.NATSPassword, nats.RetryOnFailedConnect(true))
			if err != nil {
				t.Fatal(err)
			}
			w.eventually(func() error { return arrived(uint64(w.metrics.Denied(natsauth.DeniedUnavailable)), 5) })
			if err := game.lost(0); err == nil {
				t.Error("a live connection was ended")
			}
			server.Start(t)
			w.eventually(waiting.back)
			// Changes are heard again too.
			if err := platform.Suspend(t.Context(), store.New(w.pool), known.LicenseID, ""); err != nil {
				t.Fatal(err)
			}
			w.eventually(func() error { return game.lost(0) })
		})
	}
}

// A stock server that restarts gets its users back, from its own address book and with one question a user to Postgres.
func TestNATSRestart(t *testing.T) {
	w := newStockWorld(t, schematestPool(t))
	mine := w.license()
	var games []*client
	for range 50 {
		games = append(games, w.connect(mine.NATSUser, mine.NATSPassword, nats.IgnoreAuthErrorAbort()))
	}
	w.stock.Stop(t)
	w.stock.Start(t)
	for _, game := range games {
		w.eventually(game.back)
	}
	// The warden works there too.
	if _, err := account.RotateNATS(t.Context(), w.pool, mine.LicenseID, 0); err != nil {
		t.Fatal(err)
	}
	for _, game := range games {
		w.eventually(func() error { return game.lost(game.Stats().Reconnects) })
	}
}

// Rights end by themselves at the end of their life, again and again, and clients come back each time.
func TestLifetime(t *testing.T) {
	w := newStockWorld(t, schematestPool(t))
	mine := w.license()
	made, err := account.RotateNATS(t.Context(), w.pool, mine.LicenseID, 1500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	c := w.connect(mine.NATSUser, mine.NATSPassword) // its rights end with the old password
	w.eventually(func() error { return c.lost(0) })
	w.connect(made.NATSUser, made.NATSPassword)
}
