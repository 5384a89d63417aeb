package natsauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/account"
	"corrosion/api/natsauth"
	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

const patience = 20 * time.Second

// world is one NATS, either the embedded one or a stock nats-server, with the
// platform that admits its users.
type world struct {
	t       testing.TB
	pool    *pgxpool.Pool
	gate    *natsauth.Gate
	metrics *natsauth.Metrics
	url     string // without a user
	// platform is the URL of the user that may do everything.
	platform string
	embedded *local.NATS
	stock    *localtest.StockNATS
	keys     natsauth.Keys
	callout  *natsauth.Callout
	conns    []*nats.Conn // of the callout and of the warden
}

// eachWorld runs a test on both kinds of server.
func eachWorld(t *testing.T, test func(*testing.T, *world)) {
	t.Run("Local", func(t *testing.T) { test(t, newLocalWorld(t, schematest.Postgres(t))) })
	t.Run("Stock", func(t *testing.T) { test(t, newStockWorld(t, schematest.Postgres(t))) })
}

func newWorld(t testing.TB, pool *pgxpool.Pool) *world {
	t.Helper()
	w := &world{t: t, pool: pool}
	w.metrics = natsauth.NewMetrics(func() (int64, int64) {
		if w.embedded == nil {
			return 0, 0
		}
		v := w.embedded.Violations()
		return v.Publish, v.Subscribe
	})
	var err error
	w.gate, err = natsauth.NewGate(natsauth.DefaultGateConfig(), natsauth.GateDeps{Store: pg.New(pool), Metrics: w.metrics})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func newLocalWorld(t testing.TB, pool *pgxpool.Pool) *world {
	t.Helper()
	w := newWorld(t, pool)
	var err error
	w.embedded, err = local.StartNATS(t.Context(), local.NATSConfig{
		Dir: t.TempDir(), User: "platform", Password: "secret",
		Authenticate: func(login local.Login) (*local.Grant, bool) {
			d := w.gate.Decide(context.Background(), natsauth.Login(login))
			if d.Verdict != natsauth.Admitted {
				return nil, d.Verdict == natsauth.Later
			}
			return &local.Grant{Name: d.Name, Permissions: local.Permissions{PublishAllow: d.Rights.Publish,
				SubscribeAllow: d.Rights.Subscribe, Responses: d.Rights.Responses, ResponseTTL: d.Rights.ResponseFor}}, true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.embedded.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w.url, w.platform = fmt.Sprintf("nats://127.0.0.1:%d", w.embedded.Port()), w.embedded.URL()
	w.startWarden(embeddedConnections{w.embedded})
	return w
}

type embeddedConnections struct{ nats *local.NATS }

func (e embeddedConnections) List(context.Context) ([]natsauth.Connection, error) {
	live, err := e.nats.Connections()
	var found []natsauth.Connection
	for _, c := range live {
		found = append(found, natsauth.Connection{ID: c.ID, User: c.User})
	}
	return found, err
}

func (e embeddedConnections) Kick(_ context.Context, c natsauth.Connection) error {
	e.nats.Disconnect(c.ID)
	return nil
}

func newStockWorld(t testing.TB, pool *pgxpool.Pool) *world {
	t.Helper()
	w := newWorld(t, pool)
	var err error
	if w.keys, err = natsauth.LoadOrCreateKeys(t.TempDir() + "/keys.json"); err != nil {
		t.Fatal(err)
	}
	config, err := w.keys.ServerConfig()
	if err != nil {
		t.Fatal(err)
	}
	w.stock = localtest.NewStockNATS(t, config)
	w.url = w.stock.URL()
	w.platform = fmt.Sprintf("nats://%s:%s@%s", w.keys.PlatformUser, w.keys.PlatformPassword, w.stock.Addr())
	connections := natsauth.NewSystemConnections(w.own(w.keys.SystemUser, w.keys.SystemPassword), w.keys.Account)
	w.startCallout(connections, natsauth.DefaultCalloutConfig())
	w.startWarden(connections)
	return w
}

// own is a connection of the platform's, which comes back whatever happens.
func (w *world) own(user, password string) *nats.Conn {
	w.t.Helper()
	conn, err := nats.Connect(w.url, nats.UserInfo(user, password), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(50*time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(conn.Close)
	w.conns = append(w.conns, conn)
	return conn
}

func (w *world) startCallout(connections natsauth.Connections, config natsauth.CalloutConfig) {
	w.t.Helper()
	callout, err := natsauth.StartCallout(config, natsauth.CalloutDeps{
		Conn: w.own(w.keys.PlatformUser, w.keys.PlatformPassword), Keys: w.keys, Gate: w.gate, Connections: connections,
		Metrics: w.metrics, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.callout = callout
	w.t.Cleanup(func() {
		if err := callout.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) startWarden(connections natsauth.Connections) {
	w.t.Helper()
	config := natsauth.DefaultWardenConfig()
	config.Every = time.Second
	warden, err := natsauth.StartWarden(config, natsauth.WardenDeps{
		Pool: w.pool, Store: pg.New(w.pool), Gate: w.gate, Connections: connections, Metrics: w.metrics, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(warden.Close)
}

// license makes a license with its NATS user.
func (w *world) license() account.CreatedLicense {
	w.t.Helper()
	created, err := account.CreateLicense(w.t.Context(), w.pool, account.NewLicense{Name: w.t.Name()})
	if err != nil {
		w.t.Fatal(err)
	}
	return created
}

// client is a real client that keeps the last error the server told it.
type client struct {
	*nats.Conn
	t    testing.TB
	errs chan error
}

// dial connects as a game server's plugin should.
func (w *world) dial(user, password string, options ...nats.Option) (*client, error) {
	w.t.Helper()
	c := &client{t: w.t, errs: make(chan error, 1024)}
	options = append([]nats.Option{
		nats.UserInfo(user, password), nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			select {
			case c.errs <- err:
			default:
			}
		}),
	}, options...)
	var err error
	if c.Conn, err = nats.Connect(w.url, options...); err != nil {
		return nil, err
	}
	w.t.Cleanup(c.Close)
	return c, nil
}

func (w *world) connect(user, password string, options ...nats.Option) *client {
	w.t.Helper()
	c, err := w.dial(user, password, options...)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// asPlatform is a connection that may do everything.
func (w *world) asPlatform() *nats.Conn {
	w.t.Helper()
	conn, err := nats.Connect(w.platform)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(conn.Close)
	return conn
}

// refusal gives what the server said to the last operations, nil when it said nothing.
func (c *client) refusal() error {
	c.t.Helper()
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
	// The server's complaint comes before the flush's answer, and is handed over on another goroutine.
	select {
	case err := <-c.errs:
		return err
	default:
	}
	if err := c.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return err
	}
	return nil
}

// stats makes the stream that keeps samples.
func (w *world) stats(conn *nats.Conn) jetstream.Stream {
	w.t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		w.t.Fatal(err)
	}
	stream, err := js.CreateStream(w.t.Context(), jetstream.StreamConfig{Name: schema.StreamStats, Subjects: []string{schema.SubjectStats, schema.SubjectStatsByServer}})
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}

// eventually polls until f is content.
func (w *world) eventually(f func() error) {
	w.t.Helper()
	localtest.CheckFor(w.t, patience, 10*time.Millisecond, f)
}

// stored is how many messages a stream has.
func (w *world) stored(stream jetstream.Stream) uint64 {
	w.t.Helper()
	info, err := stream.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return info.State.Msgs
}

// countIn compares how often words occur in a log.
func countIn(log string, want map[string]int) error {
	for word, n := range want {
		if got := strings.Count(log, word); got != n {
			return fmt.Errorf("%q occurs %d times, want %d", word, got, n)
		}
	}
	return nil
}
