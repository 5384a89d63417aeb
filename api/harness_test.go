package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/query"
	"corrosion/api/registry"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(benchExportURL); url != "" {
		runBenchAPI(url)
	}
	if url := os.Getenv(benchLiveURL); url != "" {
		runBenchLive(url)
	}
	if urls := os.Getenv(benchAPIURL); urls != "" {
		runBenchServer(urls)
	}
	// fasthttp keeps one goroutine for its Date header, and one a server sleeps up to ten seconds before it sees the end.
	localtest.Main(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

var (
	ourLicense   = uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001")
	theirLicense = uuid.MustParse("bbbbbbbb-0000-4000-8000-000000000002")
	suspended    = uuid.MustParse("cccccccc-0000-4000-8000-000000000003")
	erased       = uuid.MustParse("dddddddd-0000-4000-8000-000000000004")
	demoLicense  = uuid.MustParse("00000000-0000-4000-8000-00000000d340")
)

// fakeQueries remembers what it was asked and answers with the license's name, so that a leak shows.
type fakeQueries struct {
	mu         sync.Mutex
	summary    query.SummaryRequest
	timeseries query.TimeseriesRequest
	ingest     query.IngestRequest
	asked      int
	err        error
	// gate holds summaries until it is closed, where there is one.
	gate chan struct{}
}

func (f *fakeQueries) Summary(_ context.Context, r query.SummaryRequest) (*query.Summary, error) {
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.summary = r
	f.asked++
	return &query.Summary{From: r.From, To: r.To, Source: schema.Raw, Samples: 7}, f.err
}

func (f *fakeQueries) Timeseries(_ context.Context, r query.TimeseriesRequest) (*query.Timeseries, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timeseries = r
	f.asked++
	server := r.License.String()
	return &query.Timeseries{
		From: r.From, To: r.To, Step: "5m0s", Source: schema.Raw, Timestamps: []int64{1}, Partial: []bool{false},
		Series: []query.Series{{Metric: "players", Agg: r.Agg, ServerID: &server, Values: []*float64{nil}}},
	}, f.err
}

func (f *fakeQueries) MetricNames(context.Context, query.MetricsRequest) (*query.MetricNames, error) {
	return &query.MetricNames{Metrics: []query.MetricName{}}, f.err
}

func (f *fakeQueries) IngestLog(_ context.Context, r query.IngestRequest) (*query.IngestLog, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ingest = r
	f.asked++
	return &query.IngestLog{
		From: r.From, To: r.To, Step: "1m0s", Timestamps: []int64{1},
		Outcomes: []query.IngestOutcome{{Outcome: r.License.String(), Unit: "samples", Counts: []uint64{1}}},
	}, f.err
}

func (f *fakeQueries) Retention(context.Context) (schema.Retention, error) {
	return schema.DefaultRetention(), nil
}

func (f *fakeQueries) Stored(_ context.Context, license uuid.UUID) (*query.Stored, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return &query.Stored{Tables: []query.StoredTable{{Table: "table of " + license.String(), Resolution: schema.Raw, Limit: "7d"}}}, f.err
}

// fakeRegistry has two servers with a tag and nothing written in its book; the rest of it is not to be asked.
type fakeRegistry struct{ Registry }

func (fakeRegistry) Select(_ context.Context, _ uuid.UUID, s registry.Selector) ([]string, error) {
	if len(s.Tags) == 1 && s.Tags[0] == (query.Tag{Key: "region", Value: "eu"}) || slices.Contains(s.Groups, "main") {
		return []string{"eu-1", "eu-2"}, nil
	}
	return nil, nil
}

func (fakeRegistry) Groups(_ context.Context, _ uuid.UUID, by query.GroupBy, chosen []string) ([]query.Group, error) {
	return []query.Group{{Name: string(by), Servers: chosen}}, nil
}

func (fakeRegistry) Book(context.Context, uuid.UUID) (*query.Book, error) {
	return &query.Book{Archived: []string{"old"}}, nil
}

type fakeLicenses map[uuid.UUID]LicenseStatus

func (f fakeLicenses) Status(_ context.Context, id uuid.UUID) (LicenseStatus, error) {
	return f[id], nil
}

// fakeQuotas are the same for all licenses.
type fakeQuotas schema.Quotas

func (f fakeQuotas) Quotas(context.Context, uuid.UUID) (schema.Quotas, error) {
	return schema.Quotas(f), nil
}

// harness is a server under test with what it works with.
type harness struct {
	*Server
	url      string
	queries  *fakeQueries
	registry *prometheus.Registry
	log      *syncBuffer
	// pool is the database of openStored.
	pool *pgxpool.Pool
}

type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// open starts a server on a free port. clickhouse is the HTTP URL that exports use.
func open(t testing.TB, clickhouse string, change func(*Config, *Deps)) *harness {
	t.Helper()
	keys, err := auth.LoadOrCreateKeys(filepath.Join(t.TempDir(), "jwt.key"))
	if err != nil {
		t.Fatal(err)
	}
	exportConfig := encode.DefaultConfig()
	exportConfig.URL = clickhouse
	exporter, err := encode.New(exportConfig)
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{queries: &fakeQueries{}, registry: prometheus.NewRegistry(), log: &syncBuffer{}}
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.AnswerTTL, cfg.StandingTTL = 0, 0 // what a test changes counts at once
	deps := Deps{
		Queries: h.queries, Registry: fakeRegistry{}, Events: struct{ Events }{}, Exporter: exporter, Keys: keys,
		Licenses: fakeLicenses{
			ourLicense: LicenseActive, theirLicense: LicenseActive, suspended: LicenseSuspended, demoLicense: LicenseActive,
		},
		Quotas:   fakeQuotas{SamplesPerSecond: 5, Servers: 20},
		Gatherer: h.registry, Registerer: h.registry, Demo: &demoLicense,
		Logger: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Static: fstest.MapFS{
			"index.html":               {Data: []byte("<!doctype html>" + strings.Repeat("x", 2000))},
			"assets/index-BfT3x_2k.js": {Data: []byte(strings.Repeat("let a;", 1000))},
			"favicon.svg":              {Data: []byte("<svg/>")},
		},
	}
	if change != nil {
		change(&cfg, &deps)
	}
	h.Server, err = New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + h.Addr().String()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		exporter.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// unreachable is a ClickHouse for tests that must not ask one.
const unreachable = "http://127.0.0.1:1"

func (h *harness) token(t testing.TB, license uuid.UUID, role auth.Role) string {
	t.Helper()
	token, err := h.deps.Keys.Issue(auth.Identity{Subject: "test", License: license, Role: role}, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// answer is a response that has been read to its end; err is what reading it failed with.
type answer struct {
	*http.Response
	body string
	err  error
}

func (h *harness) get(t testing.TB, path, token string, headers ...string) answer {
	t.Helper()
	return h.do(t, http.MethodGet, path, token, headers...)
}

func (h *harness) do(t testing.TB, method, path, token string, headers ...string) answer {
	t.Helper()
	return h.send(t, method, path, token, "", headers...)
}

// send has a JSON body where that is not empty.
func (h *harness) send(t testing.TB, method, path, token, body string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response, string(text), err}
}

// problem checks that a is the problem code with status and gives it.
func (a answer) problem(t testing.TB, status int, code string) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("status %d, not JSON: %q", a.StatusCode, a.body)
	}
	if a.StatusCode != status || p.Status != status || p.Code != code {
		t.Errorf("got %d %s (%s), want %d %s", a.StatusCode, p.Code, a.body, status, code)
	}
	if got := a.Header.Get("Content-Type"); got != problemType {
		t.Errorf("content type %s", got)
	}
	if p.Type != "/api/docs#"+code || p.Title == "" {
		t.Errorf("type %q, title %q", p.Type, p.Title)
	}
	return p
}

// clickHouseHTTP is the shared real server.
func clickHouseHTTP(t testing.TB) string { return schematest.ClickHouseHTTP(t) }

func newRegistry() (prometheus.Registerer, prometheus.Gatherer) {
	r := prometheus.NewRegistry()
	return r, r
}
