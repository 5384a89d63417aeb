package api

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"corrosion/api/auth"
	"corrosion/api/query"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestProblemTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range problemKinds() {
		if seen[k.Code] || k.Title == "" || k.About == "" || k.Status < 400 {
			t.Errorf("bad line %+v", k)
		}
		seen[k.Code] = true
	}
	for _, s := range sentinels() {
		if !seen[s.code] {
			t.Errorf("%v has the unknown code %s", s.err, s.code)
		}
		if p := newProblem(errors.Join(errors.New("wrapped"), s.err), "id"); p.Code != s.code || p.RequestID != "id" {
			t.Errorf("%v: got %s", s.err, p.Code)
		}
	}
	if p := newProblem(errors.New("secret"), "id"); p.Status != 500 || strings.Contains(p.Detail, "secret") {
		t.Errorf("unknown error: %+v", p)
	}
}

func TestRateLimit(t *testing.T) {
	h := open(t, unreachable, func(c *Config, _ *Deps) { c.TokenQuota, c.AddressQuota = Quota{3, time.Hour}, Quota{2, time.Hour} })
	token, other := h.token(t, ourLicense, auth.Viewer), h.token(t, ourLicense, auth.Viewer)
	for left := 2; left >= 0; left-- {
		a := h.get(t, "/api/analytics/summary", token)
		if got, want := a.Header.Get("RateLimit-Policy"), `"token";q=3;w=3600, "license";q=6000;w=60`; got != want {
			t.Errorf("policy %s, want %s", got, want)
		}
		if got, want := a.Header.Get("RateLimit"), `"token";r=`+strconv.Itoa(left)+`;t=`+strconv.Itoa((3-left)*1200)+`, "license";r=`; !strings.HasPrefix(got, want) {
			t.Errorf("state %s, want %s", got, want)
		}
	}
	a := h.get(t, "/api/analytics/summary", token)
	a.problem(t, 429, "rate-limited")
	if retry := a.Header.Get("Retry-After"); retry != "1200" && retry != "1199" {
		t.Errorf("Retry-After %s", retry)
	}
	if a := h.get(t, "/api/analytics/summary", other); a.StatusCode != 200 {
		t.Errorf("another token: %d", a.StatusCode)
	}
	h.get(t, "/api/analytics/summary", "rubbish").problem(t, 401, "token-invalid")
	h.get(t, "/api/public/demo/summary", "")
	h.get(t, "/api/analytics/summary", "rubbish2").problem(t, 429, "rate-limited")
	if a := h.get(t, "/livez", ""); a.StatusCode != 200 || a.Header.Get("RateLimit") == "" {
		t.Errorf("/livez: %d %v", a.StatusCode, a.Header)
	}
}

func TestLimiterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter("x", Quota{2, time.Minute})
		for _, want := range []bool{true, true, false} {
			if l.take("a", time.Now()).allowed != want {
				t.Errorf("want %v", want)
			}
		}
		time.Sleep(30 * time.Second)
		if !l.take("a", time.Now()).allowed {
			t.Error("the bucket does not refill")
		}
		time.Sleep(3 * time.Minute)
		l.take("b", time.Now())
		if len(l.buckets) != 1 {
			t.Errorf("%d buckets", len(l.buckets))
		}
	})
}

func TestClientAddress(t *testing.T) {
	f := func(proxies []netip.Prefix, forwarded, want string) {
		t.Helper()
		h := open(t, unreachable, func(c *Config, _ *Deps) { c.TrustedProxies = proxies })
		h.get(t, "/livez", "", "X-Forwarded-For", forwarded)
		if log := h.log.String(); !strings.Contains(log, `"address":"`+want+`"`) {
			t.Errorf("%q: want %s in %s", forwarded, want, log)
		}
	}
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	f(nil, "203.0.113.7", "127.0.0.1")
	f(local, "203.0.113.7", "203.0.113.7")
	f(local, "198.51.100.9, 203.0.113.7, 10.1.1.1", "203.0.113.7")
	f(local, "rubbish", "127.0.0.1")
}

// A server that is told to stop before it has begun to accept stops all the same.
func TestCloseAtOnce(t *testing.T) {
	for range 20 {
		h := open(t, unreachable, nil)
		closed := make(chan error, 1)
		go func() { closed <- h.Close() }()
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it still waits for its listener")
		}
	}
}

func TestReadiness(t *testing.T) {
	var fault error
	h := open(t, unreachable, func(_ *Config, d *Deps) {
		d.Readiness = []Readiness{
			func(context.Context) (string, error) { return "postgres", nil },
			func(context.Context) (string, error) { return "clickhouse", fault },
		}
	})
	if a := h.get(t, "/readyz", ""); a.StatusCode != 200 || !strings.Contains(a.body, `"postgres"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	fault = errors.New("no answer for 20s")
	p := h.get(t, "/readyz", "").problem(t, 503, "not-ready")
	if want := (ProblemError{Location: "clickhouse", Message: "no answer for 20s"}); len(p.Errors) != 1 || p.Errors[0] != want {
		t.Errorf("got %+v", p.Errors)
	}
	if a := h.get(t, "/livez", ""); a.StatusCode != 200 || a.body != `{"status":"ok"}` {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestMetrics(t *testing.T) {
	h := open(t, unreachable, nil)
	h.get(t, "/api/analytics/summary", h.token(t, ourLicense, auth.Viewer))
	h.get(t, "/api/secret-in-path", h.token(t, ourLicense, auth.Viewer))
	h.get(t, "/some/page", "")
	a := h.get(t, "/metrics", "")
	for _, want := range []string{
		`corrosion_http_requests_total{method="GET",route="/api/analytics/summary",status="200"} 1`,
		`corrosion_http_requests_total{method="GET",route="unmatched",status="404"} 1`,
		`corrosion_http_requests_total{method="GET",route="static",status="200"} 1`,
		`corrosion_http_request_seconds_count{route="/api/analytics/summary",status="200"} 1`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is not in %s", want, a.body)
		}
	}
	if strings.Contains(a.body, "secret-in-path") {
		t.Error("a path stands in the metrics")
	}
}

func TestDocumentNamesTheContract(t *testing.T) {
	h := open(t, unreachable, nil)
	operations := documentedOperations(t, h)
	for _, want := range []string{
		"GET /api/analytics/summary", "GET /api/analytics/timeseries", "GET /api/analytics/export",
		"GET /api/public/demo/summary", "GET /api/public/demo/timeseries", "GET /livez", "GET /readyz", "GET /metrics",
	} {
		if !slices.Contains(operations, want) {
			t.Errorf("%s is not described", want)
		}
	}
	body := h.get(t, "/api/openapi.json", "").body
	for _, want := range []string{
		`"server_id"`, `"explode":true`, `"max_points"`, `"X-Row-Count"`, `"application/vnd.apache.parquet"`, `"application/problem+json"`,
		`"bearer"`, `"players"`, `"peak_at"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in the document", want)
		}
	}
	for _, bad := range []string{`["array","null"]`, `"additionalProperties":false`} {
		if strings.Contains(body, bad) {
			t.Errorf("%s is in the document", bad)
		}
	}
}

func TestReference(t *testing.T) {
	h := open(t, unreachable, nil)
	a := h.get(t, "/api/docs", "")
	policy := a.Header.Get("Content-Security-Policy")
	if a.StatusCode != 200 || !strings.Contains(policy, "'sha256-") || strings.Contains(policy, "unsafe") {
		t.Fatalf("%d %s", a.StatusCode, policy)
	}
	for _, want := range []string{"/api/analytics/export", `id="agg-not-kept"`, "Timeseries", "RFC 3339 time or null"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is not in the reference", want)
		}
	}
	for _, bad := range []string{"<script", "http://cdn", "https://"} {
		if strings.Contains(a.body, bad) {
			t.Errorf("%s is in the reference", bad)
		}
	}
}

func TestStatic(t *testing.T) {
	h := open(t, unreachable, nil)
	index := h.get(t, "/", "", "Accept-Encoding", "identity")
	if index.StatusCode != 200 || index.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(index.Header.Get("Content-Type"), "text/html") {
		t.Errorf("/: %d %v", index.StatusCode, index.Header)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Content-Security-Policy": DefaultContentSecurityPolicy,
	} {
		if got := index.Header.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if page := h.get(t, "/servers/eu-1", ""); page.StatusCode != 200 || !strings.HasPrefix(page.body, "<!doctype html>") {
		t.Errorf("a page of the dashboard: %d", page.StatusCode)
	}
	asset := h.get(t, "/assets/index-BfT3x_2k.js", "", "Accept-Encoding", "gzip")
	if asset.Header.Get("Content-Encoding") != "gzip" || asset.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("asset: %v", asset.Header)
	}
	tag := asset.Header.Get("ETag")
	if again := h.get(t, "/assets/index-BfT3x_2k.js", "", "Accept-Encoding", "gzip", "If-None-Match", tag); again.StatusCode != 304 {
		t.Errorf("asset again: %d", again.StatusCode)
	}
	for _, missing := range []string{"/assets/gone.js", "/../../etc/passwd.txt", "/.env.bak"} {
		h.get(t, missing, "").problem(t, 404, "not-found")
	}
	without := open(t, unreachable, func(_ *Config, d *Deps) { d.Static = nil })
	without.get(t, "/", "").problem(t, 404, "not-found")
}

func TestSecurityHeadersOnData(t *testing.T) {
	h := open(t, unreachable, nil)
	for _, path := range []string{"/api/analytics/summary", "/api/openapi.json", "/livez"} {
		a := h.get(t, path, "")
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", path, a.Header)
		}
		if a.Header.Get("RateLimit") == "" || a.Header.Get("RateLimit-Policy") == "" || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	h := open(t, unreachable, nil)
	cfg := h.cfg
	cfg.Listen = taken.Addr().String()
	deps := h.deps
	deps.Registerer, deps.Gatherer = newRegistry()
	second, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Open(); err == nil {
		t.Error("no error")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestConfigRefused(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{}.Validate()
	for _, name := range []string{"RequestTimeout", "TokenQuota", "MaxBody", "MaxExports"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}

// The real engine behind the real server: the shapes fit, and what is stored is answered.
func TestWithTheEngine(t *testing.T) {
	conn := schematest.ClickHouse(t)
	h := open(t, clickHouseHTTP(t), func(_ *Config, d *Deps) {
		d.Queries = query.New(conn, query.DefaultConfig(), time.Now)
	})
	license := h.newLicense()
	at := time.Now().Add(-time.Minute)
	schematest.InsertSamples(t, conn, []schema.Sample{sampleAt(license, "a", at), sampleAt(license, "b", at)})
	token := h.token(t, license, auth.Viewer)
	summary := h.get(t, "/api/analytics/summary?range=1h", token)
	if !strings.Contains(summary.body, `"samples":2`) || !strings.Contains(summary.body, `"current":2`) {
		t.Errorf("%d %s", summary.StatusCode, summary.body)
	}
	series := h.get(t, "/api/analytics/timeseries?metric=players&range=1h&step=1m&fill=none", token)
	if !strings.Contains(series.body, `"values":[2]`) || !strings.Contains(series.body, `"step":"1m0s"`) {
		t.Errorf("%d %s", series.StatusCode, series.body)
	}
	h.get(t, "/api/analytics/timeseries?metric=players&range=30d&step=1s", token).problem(t, 422, "too-many-points")
	if a, rows := h.exported(t, license, "&server_id=a"); rows != 0 && !strings.Contains(a.body, `"a"`) {
		t.Errorf("%d rows", rows)
	}
}
