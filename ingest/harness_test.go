package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// someLicenses is Licenses for tests: those in it exist, and it may be away.
type someLicenses struct {
	mu    sync.Mutex
	known map[uuid.UUID]bool
	own   map[uuid.UUID]schema.QuotaOverrides
	away  error
	asked int
}

func (l *someLicenses) Standing(_ context.Context, license uuid.UUID) (Standing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	return Standing{Known: l.known[license], Quotas: l.own[license]}, l.away
}

// setQuotas gives a license quotas of its own.
func (l *someLicenses) setQuotas(license uuid.UUID, q schema.QuotaOverrides) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own == nil {
		l.own = map[uuid.UUID]schema.QuotaOverrides{}
	}
	l.own[license] = q
}

func (l *someLicenses) setAway(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = err
}

// add makes a license that exists.
func (l *someLicenses) add() uuid.UUID {
	l.mu.Lock()
	defer l.mu.Unlock()
	license := uuid.New()
	l.known[license] = true
	return license
}

// rig is an ingester between real servers.
type rig struct {
	t        testing.TB
	licenses *someLicenses
	registry *prometheus.Registry
	nc       *nats.Conn // publishes
	js       jetstream.JetStream
	ch       driver.Conn
	ingester *Ingester
	config   Config
	stop     func()
	counter  atomic.Uint64 // n of the samples that publishMany sends
}

// rigOptions says what a rig stands on; zero values are fresh servers of its own.
type rigOptions struct {
	nats       *localtest.NATSServer
	clickhouse string // URL that the ingester uses
	query      string // URL that the test asks; same server
	licenses   *someLicenses
	change     func(*Config)
}

// newRig starts an ingester; it stops with the test. ClickHouse is shared unless the options name one.
func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	if o.nats == nil {
		o.nats = localtest.NewNATS(t)
	}
	if o.clickhouse == "" {
		o.clickhouse = schematest.ClickHouseURL(t)
	}
	if o.query == "" {
		o.query = o.clickhouse
	}
	r := &rig{t: t, licenses: &someLicenses{known: map[uuid.UUID]bool{}}, registry: prometheus.NewRegistry(), ch: schematest.Connect(t, o.query)}
	if o.licenses != nil {
		r.licenses = o.licenses
	}
	r.config = DefaultConfig()
	r.config.NATSURL, r.config.ClickHouseURL = o.nats.URL(), o.clickhouse
	r.config.Streams.MaxBytes = 1 << 30
	r.config.Retry = RetryConfig{Min: 20 * time.Millisecond, Max: 500 * time.Millisecond}
	if o.change != nil {
		o.change(&r.config)
	}
	var err error
	if r.nc, err = nats.Connect(o.nats.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.nc.Close)
	if r.js, err = jetstream.New(r.nc); err != nil {
		t.Fatal(err)
	}
	r.start()
	return r
}

func (r *rig) start() {
	r.t.Helper()
	var err error
	r.ingester, err = New(r.config, Deps{Licenses: r.licenses, Registerer: r.registry, Logger: testLogger(r.t)})
	if err != nil {
		r.t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- r.ingester.Run(context.Background()) }()
	r.stop = sync.OnceFunc(func() {
		if err := errors.Join(r.ingester.Close(), <-ran); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(r.stop)
	r.waitHealthy()
}

func (r *rig) waitHealthy() {
	r.t.Helper()
	localtest.CheckFor(r.t, 15*time.Second, 10*time.Millisecond, func() error {
		if h := r.ingester.Health(); !h.OK {
			return errors.New(strings.Join(h.Reasons, "; "))
		}
		return nil
	})
}

func testLogger(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// publish stores a message in its stream and gives its sequence.
func (r *rig) publish(subject string, body []byte, header ...string) uint64 {
	r.t.Helper()
	m := nats.NewMsg(subject)
	m.Data = body
	for i := 0; i+1 < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ack, err := r.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(50), jetstream.WithRetryWait(100*time.Millisecond))
	if err != nil {
		r.t.Fatalf("publish: %v", err)
	}
	return ack.Sequence
}

func (r *rig) query(sql string, args []any, dest ...any) error {
	return r.ch.QueryRow(r.t.Context(), sql, args...).Scan(dest...)
}

// waitStored waits until exactly want rows of the license are stored, as many distinct identities.
func (r *rig) waitStored(license uuid.UUID, want uint64, within time.Duration) {
	r.t.Helper()
	var rows, distinct uint64
	localtest.CheckFor(r.t, within, 20*time.Millisecond, func() error {
		err := r.query("SELECT count(), uniqExact(epoch, seq, idx) FROM corrosion.samples WHERE license_id = ?", []any{license}, &rows, &distinct)
		if err == nil && distinct < want {
			err = fmt.Errorf("%d rows stored, %d distinct, want %d", rows, distinct, want)
		}
		return err
	})
	if rows != want || distinct != want {
		r.t.Errorf("%d rows stored, %d distinct, want %d", rows, distinct, want)
	}
}

// waitAcked waits until the streams are empty: every message stored and acknowledged.
func (r *rig) waitAcked(within time.Duration) {
	r.t.Helper()
	localtest.CheckFor(r.t, within, 20*time.Millisecond, func() error {
		for _, name := range []string{schema.StreamStats, schema.StreamStatsByServer} {
			if n, err := r.waitingIn(name); err != nil || n != 0 {
				return fmt.Errorf("%d messages left in %s: %w", n, name, err)
			}
		}
		return nil
	})
}

func (r *rig) waitingIn(stream string) (uint64, error) {
	s, err := r.js.Stream(r.t.Context(), stream)
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.Msgs, nil
}

// letters reads all dead letters.
func (r *rig) letters() []*jetstream.RawStreamMsg {
	r.t.Helper()
	s, err := r.js.Stream(r.t.Context(), schema.StreamDead)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		r.t.Fatal(err)
	}
	var letters []*jetstream.RawStreamMsg
	if s.CachedInfo().State.Msgs == 0 {
		return nil
	}
	for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(r.t.Context(), seq)
		if err != nil {
			r.t.Fatal(err)
		}
		letters = append(letters, m)
	}
	return letters
}

// metric is the value of a counter or gauge, summed over its labels.
func (r *rig) metric(name string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		sum := 0.0
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		return sum
	}
	return 0
}

// through is a ClickHouse URL by way of a proxy.
func through(t testing.TB, raw string, proxy *localtest.Proxy) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = proxy.Addr()
	return u.String()
}

func hostOf(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
