package exportjob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/encode"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// gate stands before ClickHouse and can hold exports after their first bytes.
type gate struct {
	url string

	mu   sync.Mutex
	held chan struct{}
	pass int
	fail int
}

func newGate(t *testing.T) *gate {
	t.Helper()
	target, err := url.Parse(schematest.ClickHouseHTTP(t))
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host}) },
		ModifyResponse: g.hold, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.refuses(r) {
			w.Header().Set("X-ClickHouse-Exception-Code", "241")
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { g.open(); server.Close() })
	copied := *target
	copied.Host = strings.TrimPrefix(server.URL, "http://")
	g.url = copied.String()
	return g
}

// shut lets pass more exports through and makes the others wait at their end until open.
func (g *gate) shut(pass int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held, g.pass = make(chan struct{}), pass
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

// refuse makes the next n exports fail as if ClickHouse had no memory to spare.
func (g *gate) refuse(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = n
}

func (g *gate) refuses(r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail == 0 || !isExport(r) {
		return false
	}
	g.fail--
	return true
}

func isExport(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Query().Get("query_id"), "export-")
}

func (g *gate) hold(response *http.Response) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == nil || !isExport(response.Request) {
		return nil
	}
	if g.pass--; g.pass < 0 {
		response.Body = heldBody{response.Body, g.held, response.Request.Context()}
	}
	return nil
}

// heldBody ends only once it may.
type heldBody struct {
	io.ReadCloser
	held <-chan struct{}
	ctx  context.Context
}

func (b heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		select {
		case <-b.held:
		case <-b.ctx.Done():
		}
	}
	return n, err
}

// bench is a database, a gate to ClickHouse and a directory, for as many managers as wanted.
type bench struct {
	t       *testing.T
	url     string
	pool    *pgxpool.Pool
	gate    *gate
	dir     string
	license uuid.UUID
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, url: schematest.PostgresURL(t), gate: newGate(t), dir: t.TempDir()}
	b.pool = b.connect()
	b.license = b.newLicense()
	return b
}

func (b *bench) connect() *pgxpool.Pool {
	b.t.Helper()
	pool, err := pgxpool.New(b.t.Context(), b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(pool.Close)
	return pool
}

func (b *bench) newLicense() uuid.UUID {
	b.t.Helper()
	license := uuid.New()
	if err := pg.New(b.pool).EnsureLicense(b.t.Context(), pg.EnsureLicenseParams{ID: license, Name: "test"}); err != nil {
		b.t.Fatal(err)
	}
	return license
}

// manager starts one that closes with the test.
func (b *bench) manager(change func(*Config, *Deps)) *Manager {
	b.t.Helper()
	cfg := encode.DefaultConfig()
	cfg.URL = b.gate.url
	exporter, err := encode.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(exporter.Close)
	config := DefaultConfig(b.dir)
	config.Lease, config.Poll, config.Sweep, config.Backoff = 2*time.Second, 20*time.Millisecond, 20*time.Millisecond, time.Millisecond
	deps := Deps{
		Pool: b.pool, Exporter: exporter, Logger: slog.New(slog.DiscardHandler),
		Cursor: func(_ Spec, until time.Time) (string, error) { return "cursor-" + until.Format(time.RFC3339Nano), nil },
	}
	if change != nil {
		change(&config, &deps)
	}
	m, err := New(config, deps)
	if err != nil {
		b.t.Fatal(err)
	}
	m.Start()
	b.t.Cleanup(m.Close)
	return m
}

// day is where the samples of the tests begin.
func day() time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3) }

// samples stores count samples, an hour apart over three days.
func (b *bench) samples(license uuid.UUID, count int) {
	b.t.Helper()
	var samples []schema.Sample
	for i := range count {
		s := schema.Sample{License: license, ServerID: "a", TS: day().Add(time.Duration(i%72) * time.Hour).UnixMilli(), Epoch: 1, Seq: uint64(i)}
		s.ReceivedAt = time.Now().UnixMilli()
		s.SetUint(schema.N, uint64(i))
		samples = append(samples, s)
	}
	schematest.InsertSamples(b.t, schematest.ClickHouse(b.t), samples)
}

func (b *bench) spec(change func(*Spec)) Spec {
	spec := Spec{ByDay: true, Request: encode.Request{
		License: b.license, Granularity: schema.Raw, Format: encode.CSV, From: day(), To: day().AddDate(0, 0, 5),
	}}
	if change != nil {
		change(&spec)
	}
	return spec
}

func (b *bench) create(m *Manager, spec Spec) Job {
	b.t.Helper()
	job, err := m.Create(b.t.Context(), b.license, spec)
	if err != nil {
		b.t.Fatal(err)
	}
	return job
}

// until waits for a job's status.
func (b *bench) until(m *Manager, id uuid.UUID, status Status) Job {
	b.t.Helper()
	var job Job
	localtest.CheckFor(b.t, 30*time.Second, 10*time.Millisecond, func() (err error) {
		if job, err = m.Find(b.t.Context(), b.license, id); err != nil {
			return err
		}
		if job.Status != status {
			return fmt.Errorf("job is %s (%s), want %s", job.Status, job.Error, status)
		}
		return nil
	})
	return job
}

// read gives a file's bytes, which must be as its manifest says.
func (b *bench) read(m *Manager, job Job, n int) string {
	b.t.Helper()
	file, entry, err := m.OpenFile(b.t.Context(), job.License, job.ID, n)
	if err != nil {
		b.t.Fatal(err)
	}
	defer file.Close()
	body, err := io.ReadAll(file)
	if err != nil {
		b.t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if hex.EncodeToString(sum[:]) != entry.SHA256 || int64(len(body)) != entry.Bytes || entry.N != n {
		b.t.Errorf("file %d: %d bytes, SHA-256 %x, manifest %+v", n, len(body), sum, entry)
	}
	return string(body)
}
