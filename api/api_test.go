package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/query"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) {
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
	asked      int
	err        error
}

func (f *fakeQueries) Summary(_ context.Context, r query.SummaryRequest) (*query.Summary, error) {
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

func (f *fakeQueries) Retention(context.Context) (schema.Retention, error) {
	return schema.DefaultRetention(), nil
}

type fakeLicenses map[uuid.UUID]LicenseStatus

func (f fakeLicenses) Status(_ context.Context, id uuid.UUID) (LicenseStatus, error) {
	return f[id], nil
}

// harness is a server under test with what it works with.
type harness struct {
	*Server
	url      string
	queries  *fakeQueries
	registry *prometheus.Registry
	log      *syncBuffer
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
	deps := Deps{
		Queries: h.queries, Exporter: exporter, Keys: keys,
		Licenses: fakeLicenses{
			ourLicense: LicenseActive, theirLicense: LicenseActive, suspended: LicenseSuspended, demoLicense: LicenseActive,
		},
		Gatherer: h.registry, Registerer: h.registry, Demo: &demoLicense,
		Logger: slog.New(slog.NewJSONHandler(h.log, nil)),
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
	request, err := http.NewRequestWithContext(t.Context(), method, h.url+path, nil)
	if err != nil {
		t.Fatal(err)
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
	body, err := io.ReadAll(response.Body)
	return answer{response, string(body), err}
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

func TestSummaryAnswers(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	a := h.get(t, "/api/analytics/summary?from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z&server_id=a&server_id=b", token)
	if a.StatusCode != 200 || !strings.Contains(a.body, `"samples":7`) || !strings.Contains(a.body, `"peak_at":null`) {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	got := h.queries.summary
	if got.License != ourLicense || len(got.Servers) != 2 || got.To.Sub(got.From) != 24*time.Hour {
		t.Errorf("asked %+v", got)
	}
	tag := a.Header.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") || !strings.HasPrefix(a.Header.Get("Cache-Control"), "private, max-age=") {
		t.Errorf("headers %v", a.Header)
	}
	again := h.get(t, "/api/analytics/summary?from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z", token, "If-None-Match", tag)
	if again.StatusCode != 304 || again.body != "" || again.Header.Get("ETag") != tag {
		t.Errorf("got %d %q", again.StatusCode, again.body)
	}
}

func TestTimeseriesAnswers(t *testing.T) {
	h := open(t, unreachable, nil)
	a := h.get(t, "/api/analytics/timeseries?metric=players&metric=metrics.hook/time&agg=p95&step=1h&group_by=server&fill=linear&tz=Europe/Berlin&max_points=10&range=7d",
		h.token(t, ourLicense, auth.Viewer))
	if a.StatusCode != 200 || !strings.Contains(a.body, `"values":[null]`) {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	got := h.queries.timeseries
	if got.License != ourLicense || len(got.Metrics) != 2 || got.Agg != query.P95 || got.Step != time.Hour ||
		got.GroupBy != query.GroupServer || got.Fill != query.FillLinear || got.TZ.String() != "Europe/Berlin" || got.MaxPoints != 10 {
		t.Errorf("asked %+v", got)
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	h := open(t, unreachable, nil)
	a := h.get(t, "/api/analytics/timeseries?agg=median&step=1ms&range=0&tz=Mars&server_id=a/b&max_points=x&fill=maybe&fill=null&license_id="+theirLicense.String()+"&after=1",
		h.token(t, ourLicense, auth.Viewer))
	p := a.problem(t, 422, "invalid-request")
	locations := map[string]bool{}
	for _, e := range p.Errors {
		locations[e.Location] = true
	}
	for _, name := range []string{"metric", "agg", "step", "range", "tz", "server_id", "max_points", "fill", "license_id", "after"} {
		if !locations["query."+name] {
			t.Errorf("no fault of %s in %s", name, a.body)
		}
	}
	if h.queries.asked != 0 {
		t.Error("a faulty request was asked")
	}
}

func TestFaultsByRoute(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	for _, path := range []string{
		"/api/analytics/summary?metric=players", "/api/analytics/summary?from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z",
		"/api/analytics/summary?range=1h&range=2h", "/api/analytics/export?format=xml", "/api/analytics/export?granularity=daily",
		"/api/analytics/export?after=1", "/api/public/demo/summary?token=x", "/api/analytics/timeseries",
	} {
		if p := h.get(t, path, token).problem(t, 422, "invalid-request"); len(p.Errors) == 0 {
			t.Errorf("%s: no errors listed", path)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	f := func(err error, status int, code string) {
		t.Helper()
		h.queries.err = err
		a := h.get(t, "/api/analytics/timeseries?metric=players", token)
		a.problem(t, status, code)
		if strings.Contains(a.body, "secret") {
			t.Errorf("an inner error got out: %s", a.body)
		}
	}
	f(&query.Faults{Code: query.CodeAggNotKept, List: []query.Fault{{Location: "query.agg", Message: "m"}}}, 422, "agg-not-kept")
	f(&query.Faults{Code: query.CodeTooManyPoints}, 422, "too-many-points")
	f(query.ErrUnavailable, 503, "unavailable")
	f(query.ErrTooHeavy, 422, "too-heavy")
	f(context.DeadlineExceeded, 504, "timeout")
	f(io.ErrUnexpectedEOF, 500, "internal")
	f(&json.SyntaxError{}, 500, "internal")
	if !strings.Contains(h.log.String(), "unexpected EOF") {
		t.Error("the log does not name the inner error")
	}
}

func TestDemo(t *testing.T) {
	h := open(t, unreachable, nil)
	a := h.get(t, "/api/public/demo/timeseries?metric=players", h.token(t, ourLicense, auth.Owner))
	if a.StatusCode != 200 || h.queries.timeseries.License != demoLicense || !strings.Contains(a.Header.Get("Cache-Control"), "public") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	without := open(t, unreachable, func(_ *Config, d *Deps) { d.Demo = nil })
	without.get(t, "/api/public/demo/summary", "").problem(t, 404, "not-found")
}

func TestHostileRequests(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	h.get(t, "/api/analytics/summary?range=%zz", token).problem(t, 400, "malformed-request")
	h.get(t, "/api/analytics/nothing", token).problem(t, 404, "not-found")
	h.do(t, http.MethodPost, "/api/analytics/summary", token).problem(t, 405, "method-not-allowed")
	h.do(t, "PROPFIND", "/api/analytics/summary", token).problem(t, 501, "method-unknown")
	h.get(t, "/api/analytics/summary", token, "X-Long", strings.Repeat("x", 100<<10)).problem(t, 431, "headers-too-large")
	h.get(t, "/API/analytics/summary", "")
	if h.queries.asked != 0 {
		t.Error("something was asked")
	}
	request, err := http.NewRequest(http.MethodPost, h.url+"/api/analytics/summary", strings.NewReader(strings.Repeat("x", 2<<20)))
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(request); err == nil {
		defer response.Body.Close()
		if response.StatusCode != 413 || response.Header.Get("Content-Type") != problemType {
			t.Errorf("a large body: %s", response.Status)
		}
	}
}

func TestPanicIsAProblem(t *testing.T) {
	h := open(t, unreachable, func(_ *Config, d *Deps) { d.Licenses = panicking{} })
	a := h.get(t, "/api/analytics/summary", h.token(t, ourLicense, auth.Viewer))
	p := a.problem(t, 500, "internal")
	if strings.Contains(a.body, "boom") || !strings.Contains(h.log.String(), "boom") || !strings.Contains(h.log.String(), p.RequestID) {
		t.Errorf("answer %s, log %s", a.body, h.log)
	}
}

type panicking struct{}

func (panicking) Status(context.Context, uuid.UUID) (LicenseStatus, error) { panic("boom") }

func TestHead(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	for _, path := range []string{"/api/analytics/summary", "/api/analytics/export?format=parquet", "/livez", "/", "/api/openapi.json"} {
		a := h.do(t, http.MethodHead, path, token)
		if a.StatusCode != 200 || a.body != "" {
			t.Errorf("%s: %d %q", path, a.StatusCode, a.body)
		}
	}
	if a := h.do(t, http.MethodHead, "/api/analytics/summary", ""); a.StatusCode != 401 {
		t.Errorf("without a token: %d", a.StatusCode)
	}
}

func TestRequestIDAndLog(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	a := h.get(t, "/api/analytics/summary?password=hunter2&access_token="+token, token, "X-Request-Id", "abc-1")
	if p := a.problem(t, 422, "invalid-request"); p.RequestID != "abc-1" || a.Header.Get("X-Request-Id") != "abc-1" {
		t.Errorf("request id %q", p.RequestID)
	}
	if bad := h.get(t, "/livez", "", "X-Request-Id", "a b\"c"); bad.Header.Get("X-Request-Id") == "a b\"c" {
		t.Error("a harmful request id was kept")
	}
	log := h.log.String()
	if !strings.Contains(log, `"request_id":"abc-1"`) || !strings.Contains(log, `"route":"/api/analytics/summary"`) {
		t.Errorf("log %s", log)
	}
	if strings.Contains(log, "hunter2") || strings.Contains(log, token) {
		t.Error("the log holds a secret")
	}
}

func TestStringsDoNotOutliveTheirRequest(t *testing.T) {
	h := open(t, unreachable, nil)
	var seen []string
	for _, server := range []string{"aaaaaaaa", "bbbbbbbb", "cccccccc"} {
		h.get(t, "/api/analytics/summary?server_id="+server, h.token(t, ourLicense, auth.Viewer))
		seen = append(seen, h.queries.summary.Servers...)
	}
	if got := strings.Join(seen, " "); got != "aaaaaaaa bbbbbbbb cccccccc" {
		t.Errorf("got %s", got)
	}
}

func TestExportNeedsClickHouse(t *testing.T) {
	h := open(t, unreachable, nil)
	a := h.get(t, "/api/analytics/export", h.token(t, ourLicense, auth.Viewer))
	a.problem(t, 503, "unavailable")
	if a.Header.Get("Retry-After") == "" || a.Header.Get("Content-Disposition") != "" {
		t.Errorf("headers %v", a.Header)
	}
}

// clickHouseHTTP is the shared real server.
func clickHouseHTTP(t testing.TB) string { return schematest.ClickHouseHTTP(t) }

func newRegistry() (prometheus.Registerer, prometheus.Gatherer) {
	r := prometheus.NewRegistry()
	return r, r
}
