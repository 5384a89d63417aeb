package backup_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/backup"
	"corrosion/deploy/local/localtest"
	"corrosion/ingest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// site is a platform's services, with an ingester that may run.
type site struct {
	t        *testing.T
	platform backup.Platform
	ch       driver.Conn
	js       jetstream.JetStream
	pg       *pgx.Conn
	ingester *ingest.Ingester
	ran      chan error
	n        int // samples published
}

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteOn(t, localtest.NewClickHouse(t))
}

// engine is a ClickHouse, or a cluster of them.
type engine interface {
	URL() string
	HTTPURL() string
}

func newSiteOn(t *testing.T, clickhouse engine) *site {
	t.Helper()
	nc, err := nats.Connect(localtest.NewNATS(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	s := &site{t: t, ch: schematest.Connect(t, clickhouse.URL())}
	s.platform = backup.Platform{
		ClickHouse: s.ch, ClickHouseURL: clickhouse.URL(), ClickHouseHTTPURL: clickhouse.HTTPURL(), PostgresURL: localtest.PostgresURL(t), NATS: nc, ModuleDir: t.TempDir(), Listen: 300 * time.Millisecond,
	}
	if s.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	if s.pg, err = pgx.Connect(t.Context(), s.platform.PostgresURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.pg.Close(context.Background()) })
	return s
}

// everyLicense exists.
type everyLicense struct{}

func (everyLicense) Standing(context.Context, uuid.UUID) (ingest.Standing, error) {
	return ingest.Standing{Known: true}, nil
}

func (s *site) start() {
	s.t.Helper()
	config := ingest.DefaultConfig()
	config.ClickHouseURL = s.platform.ClickHouseURL
	config.Partitions.Takeover = time.Second
	config.Batch.MinAge = 20 * time.Millisecond
	var err error
	if s.ingester, err = ingest.New(config, ingest.Deps{NATS: s.platform.NATS, Licenses: everyLicense{}, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.ingester.OpenStreams(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.ran = make(chan error, 1)
	go func() { s.ran <- s.ingester.Run(context.Background()) }()
}

func (s *site) stop() {
	s.t.Helper()
	if s.ingester == nil {
		return
	}
	if err := s.ingester.Close(); err != nil {
		s.t.Error(err)
	}
	if err := <-s.ran; err != nil {
		s.t.Error(err)
	}
	s.ingester = nil
}

// publish sends count messages of two samples over two days each, one bad sample in ten messages, and a mark in twenty.
func (s *site) publish(license uuid.UUID, count int) {
	s.t.Helper()
	for i := range count {
		now := time.Now().UTC()
		var lines []string
		for k := range 2 {
			lines = append(lines, fmt.Sprintf(`{"server_id":"s%d","ts":%d,"n":%d,"boot":"b","players":%d,"fps":%d.5,"map":"m","metrics":{"x":%d}}`,
				s.n%5, now.AddDate(0, 0, -k).UnixMilli(), s.n, s.n%100, s.n%60, s.n))
			s.n++
		}
		if i%10 == 0 {
			lines = append(lines, `{"server_id":"s1","players":-1}`)
		}
		s.send(schema.StatsSubject(license), "["+strings.Join(lines, ",")+"]")
		if i%20 == 0 {
			s.send("corrosion."+license.String()+".events", fmt.Sprintf(`{"kind":"note","title":"mark %d"}`, s.n))
		}
	}
}

func (s *site) send(subject, body string) {
	s.t.Helper()
	if _, err := s.js.Publish(s.t.Context(), subject, []byte(body)); err != nil {
		s.t.Fatal(err)
	}
}

// drained waits until nothing waits in the streams.
func (s *site) drained() {
	s.t.Helper()
	localtest.CheckFor(s.t, 30*time.Second, 20*time.Millisecond, func() error {
		for _, name := range []string{schema.StreamStats, schema.StreamEvents} {
			stream, err := s.js.Stream(s.t.Context(), name)
			if err != nil {
				return err
			}
			if left := stream.CachedInfo().State.Msgs; left > 0 {
				return fmt.Errorf("%d messages wait in %s", left, name)
			}
		}
		return nil
	})
}

// must gives one value of ClickHouse.
func (s *site) must(query string) string {
	s.t.Helper()
	var v string
	if err := s.ch.QueryRow(s.t.Context(), query).Scan(&v); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// storedOnce wants every sample that was published, none of them twice.
func (s *site) storedOnce() {
	s.t.Helper()
	if once, want := s.must("SELECT toString((count(), uniqExact(epoch, seq, idx), uniqExact(n))) FROM corrosion.samples"), wanted(s.n); once != want {
		s.t.Errorf("rows, identities and samples are %s, want %s", once, want)
	}
}

func (s *site) exec(statements ...string) {
	s.t.Helper()
	for _, statement := range statements {
		if _, err := s.pg.Exec(s.t.Context(), statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// letters counts dead letters, and those that stand there twice.
func (s *site) letters() (all, twice int) {
	s.t.Helper()
	dead, err := s.js.Stream(s.t.Context(), schema.StreamDead)
	if err != nil {
		s.t.Fatal(err)
	}
	left := dead.CachedInfo().State.Msgs
	consumer, err := dead.OrderedConsumer(s.t.Context(), jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	seen := map[string]bool{}
	for range left {
		m, err := consumer.Next()
		if err != nil {
			s.t.Fatal(err)
		}
		h := m.Headers()
		id := h.Get(schema.DeadEpoch) + "/" + h.Get(schema.DeadSeq) + "/" + h.Get(schema.DeadIdx)
		if seen[id] {
			twice++
		}
		seen[id] = true
		all++
	}
	return all, twice
}
