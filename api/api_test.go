package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/query"
)

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

func TestIngestAnswers(t *testing.T) {
	h := open(t, unreachable, nil)
	a := h.get(t, "/api/analytics/ingest?range=2h", h.token(t, ourLicense, auth.Viewer))
	quotas := `"quotas":{"samples_per_second":5,"bytes_per_second":null,"servers":20,"metric_names":null}`
	if a.StatusCode != 200 || !strings.Contains(a.body, quotas) || !strings.HasPrefix(a.Header.Get("Cache-Control"), "private") {
		t.Fatalf("%d %s %v", a.StatusCode, a.body, a.Header)
	}
	if got := h.queries.ingest; got.License != ourLicense || !got.From.Equal(got.To.Add(-2*time.Hour).Truncate(time.Minute)) {
		t.Errorf("asked %+v", got)
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
		"/api/analytics/ingest?server_id=a", "/api/analytics/ingest?range=0",
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
