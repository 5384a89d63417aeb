package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"corrosion/api/auth"
)

// JSON comes compressed as the client likes, under a tag of its own that still says "not modified".
func TestCompressedAnswers(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	plain := h.get(t, "/api/openapi.json", token, "Accept-Encoding", "identity")
	f := func(accept, coding string, read func(io.Reader) (io.Reader, error)) {
		t.Helper()
		a := h.get(t, "/api/openapi.json", token, "Accept-Encoding", accept)
		if got := a.Header.Get("Content-Encoding"); got != coding || !strings.Contains(a.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: coding %q, vary %q", accept, got, a.Header.Get("Vary"))
			return
		}
		reader, err := read(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(reader); err != nil || !bytes.Equal(body, []byte(plain.body)) {
			t.Errorf("%s: %d bytes, %v", accept, len(body), err)
		}
	}
	same := func(r io.Reader) (io.Reader, error) { return r, nil }
	unzip := func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	unzstd := func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }
	f("gzip", "gzip", unzip)
	f("zstd, gzip;q=0.5", "zstd", unzstd)
	f("br", "", same)
	f("identity", "", same)
	if a := h.get(t, "/api/analytics/summary", token, "Accept-Encoding", "gzip"); a.Header.Get("Content-Encoding") != "" {
		t.Error("a small answer is compressed")
	}
}

// A tag of a compressed answer is as good for conditions as the plain one.
func TestCodedTags(t *testing.T) {
	for _, tag := range []string{`"abc"`, `"abc.def"`} {
		coded := codedTag(tag, "gzip")
		if coded == tag || plainTag(coded) != tag || plainTag(tag) != tag || !matches(coded, tag) || !matches("W/"+codedTag(tag, "zstd"), tag) {
			t.Errorf("%s: coded %s, plain %s", tag, coded, plainTag(coded))
		}
		if !fits(coded, "abc") || fits(coded, "abd") {
			t.Errorf("If-Match: %s", coded)
		}
	}
}

// Pages of other origins may do nothing unless they are named, and never sign in.
func TestCORS(t *testing.T) {
	const page = "https://stats.example.org"
	preflight := []string{"Origin", page, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"}
	allowed := func(a answer) string { return a.Header.Get("Access-Control-Allow-Origin") }
	off := open(t, unreachable, nil)
	if a := off.do(t, http.MethodOptions, eventsPath, "", preflight...); allowed(a) != "" || a.StatusCode < 400 {
		t.Errorf("off: %d %v", a.StatusCode, a.Header)
	}
	on := open(t, unreachable, func(c *Config, _ *Deps) { c.CORSOrigins = []string{page} })
	a := on.do(t, http.MethodOptions, eventsPath, "", preflight...)
	if a.StatusCode != 204 || allowed(a) != page || !strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), "Authorization") || !strings.Contains(a.Header.Get("Vary"), "Origin") {
		t.Errorf("preflight: %d %v", a.StatusCode, a.Header)
	}
	if a.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("cookies may travel")
	}
	token := on.token(t, ourLicense, auth.Viewer)
	if a := on.get(t, "/api/analytics/summary", token, "Origin", page); a.StatusCode != 200 || allowed(a) != page || !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "RateLimit") {
		t.Errorf("read: %d %v", a.StatusCode, a.Header)
	}
	for _, origin := range []string{"https://evil.example", "null", page + ".evil.example", "http://stats.example.org"} {
		if a := on.get(t, "/api/analytics/summary", token, "Origin", origin); allowed(a) != "" {
			t.Errorf("%s may read", origin)
		}
	}
	if a := on.do(t, http.MethodOptions, loginPath, "", preflight...); allowed(a) != "" {
		t.Error("other pages may sign in")
	}
	bad := DefaultConfig()
	for _, origin := range []string{"*", "stats.example.org", page + "/", "HTTPS://stats.example.org", "https://Stats.example.org"} {
		bad.CORSOrigins = []string{origin}
		if bad.Validate() == nil {
			t.Errorf("%q is taken for an origin", origin)
		}
	}
}

// The trace of a request goes on to ClickHouse's HTTP interface and stands in the log.
func TestTraceIsCarried(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	seen := make(chan string, 10)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Traceparent")
		http.Error(w, "no", http.StatusServiceUnavailable)
	}))
	defer store.Close()
	h := open(t, store.URL, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	h.get(t, exportPath+"?range=1h&granularity=hourly", token, "Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	if got := <-seen; !strings.HasPrefix(got, "00-"+trace+"-") {
		t.Errorf("ClickHouse got %q", got)
	}
	if !strings.Contains(h.log.String(), `"trace_id":"`+trace+`"`) {
		t.Error("the trace is not in the log")
	}
	for _, bad := range []string{"00-xyz-1-01", strings.Repeat("0", 5000), "00-00000000000000000000000000000000-00f067aa0ba902b7-01"} {
		if a := h.get(t, "/api/analytics/summary", token, "Traceparent", bad); a.StatusCode != 200 {
			t.Errorf("%.20s: %d", bad, a.StatusCode)
		}
	}
}

// Slow requests stand in the log by their template, without what was asked.
func TestSlowRequestsAreLogged(t *testing.T) {
	h := open(t, unreachable, func(c *Config, _ *Deps) { c.SlowRequest = time.Nanosecond })
	h.get(t, "/api/analytics/summary?server_id=private", h.token(t, ourLicense, auth.Viewer))
	if log := h.log.String(); !strings.Contains(log, `"slow":true`) || strings.Contains(log, "private") {
		t.Errorf("log %s", log)
	}
}

// A request that was accepted is answered, although the server is told to stop meanwhile.
func TestStopLosesNoAcceptedRequest(t *testing.T) {
	begun, goOn := make(chan struct{}, 20), make(chan struct{})
	h := open(t, unreachable, func(_ *Config, d *Deps) {
		d.Licenses = slowLicenses{begun: begun, goOn: goOn}
	})
	token := h.token(t, ourLicense, auth.Viewer)
	answers := make(chan int, 20)
	for range cap(answers) {
		go func() {
			answers <- h.get(t, "/api/analytics/summary", token).StatusCode
		}()
	}
	for range cap(answers) {
		<-begun
	}
	closed := make(chan error, 1)
	go func() { closed <- h.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("closed with requests under way: %v", err)
	case <-time.After(50 * time.Millisecond): // it had the time to do it wrong
	}
	close(goOn)
	for range cap(answers) {
		if status := <-answers; status != 200 {
			t.Errorf("an accepted request got %d", status)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// slowLicenses answer once they may.
type slowLicenses struct {
	begun chan<- struct{}
	goOn  <-chan struct{}
}

func (s slowLicenses) Status(context.Context, uuid.UUID) (LicenseStatus, error) {
	s.begun <- struct{}{}
	<-s.goOn
	return LicenseActive, nil
}
