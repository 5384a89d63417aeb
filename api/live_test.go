package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/auth"
	"corrosion/api/live"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// liveGuard lets everybody stay until a test says otherwise.
type liveGuard struct {
	mu     sync.Mutex
	reason string
}

func (g *liveGuard) License(context.Context, uuid.UUID) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason, nil
}

func (g *liveGuard) Ended(context.Context, []uuid.UUID) ([]uuid.UUID, error) { return nil, nil }

// withLive gives a server a hub on the NATS at url.
func withLive(t testing.TB, url string, change func(*live.Config, *live.Deps)) func(*Config, *Deps) {
	return func(_ *Config, d *Deps) {
		cfg := live.DefaultConfig()
		cfg.FrameEvery, cfg.CheckEvery = 20*time.Millisecond, 20*time.Millisecond
		cfg.MaxAddressListeners = cfg.MaxLicenseListeners
		deps := live.Deps{NATSURL: url, Guard: &liveGuard{}, Registerer: prometheus.NewRegistry(), Logger: d.Logger}
		if change != nil {
			change(&cfg, &deps)
		}
		hub, err := live.New(cfg, deps)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(hub.Close)
		d.Live = hub
	}
}

// sseEvent is one event as a client sees it.
type sseEvent struct{ id, name, data string }

// sseStream is an open stream.
type sseStream struct {
	*http.Response
	lines *bufio.Reader
}

func (h *harness) openLive(t testing.TB, path, token string, headers ...string) *sseStream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != eventStream {
		body, _ := io.ReadAll(response.Body)
		t.Fatalf("%d %s %s", response.StatusCode, response.Header.Get("Content-Type"), body)
	}
	return &sseStream{response, bufio.NewReader(response.Body)}
}

// next reads one event; comments and retry are skipped.
func (s *sseStream) next() (e sseEvent, err error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.data != "" {
				return e, nil
			}
		}
	}
}

// until reads events until one is named name and has want in its data.
func (s *sseStream) until(t testing.TB, name, want string) sseEvent {
	t.Helper()
	timer := time.AfterFunc(60*time.Second, func() { s.Body.Close() })
	defer timer.Stop()
	var last sseEvent
	for {
		e, err := s.next()
		if err != nil {
			t.Fatalf("no %s with %s: %v; last was %+v", name, want, err, last)
		}
		if e.name == name && strings.Contains(e.data, want) {
			return e
		}
		last = e
	}
}

// publisher publishes samples of licenses.
type publisher struct {
	t  testing.TB
	nc *nats.Conn
}

func newPublisher(t testing.TB, url string) *publisher {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return &publisher{t, nc}
}

func (p *publisher) send(license uuid.UUID, server string, players int) {
	p.t.Helper()
	body := fmt.Sprintf(`{"server_id":%q,"players":%d,"ts":%d,"map":%q}`, server, players, time.Now().UnixMilli(), "map-of-"+license.String())
	if err := p.nc.Publish(schema.ServerStatsSubject(license, server), []byte(body)); err != nil {
		p.t.Fatal(err)
	}
	if err := p.nc.Flush(); err != nil {
		p.t.Fatal(err)
	}
}

func TestLive(t *testing.T) {
	url := localtest.NATSURL(t)
	h, p := open(t, unreachable, withLive(t, url, nil)), newPublisher(t, url)
	for _, coding := range []string{"identity", "gzip"} {
		license := ourLicense
		if coding == "gzip" {
			license = theirLicense
		}
		stream := h.openLive(t, livePath, h.token(t, license, auth.Viewer), "X-Test", coding)
		stream.until(t, "snapshot", `"servers":[]`)
		p.send(license, "a", 3)
		stream.until(t, "totals", `"current":3`)
		p.send(license, "b", 4)
		id := stream.until(t, "totals", `"current":7`).id
		p.send(license, "b", 5)
		stream.until(t, "totals", `"current":8`)
		if cache := stream.Header.Get("Cache-Control"); cache != "no-store, no-transform" {
			t.Errorf("Cache-Control %s", cache)
		}
		resumed := h.openLive(t, livePath, h.token(t, license, auth.Viewer), "Last-Event-ID", id, "Accept-Encoding", "identity")
		if e, err := resumed.next(); err != nil || e.name != "servers" || strings.Contains(e.data, `"server_id":"a"`) || !strings.Contains(e.data, `"players":5`) {
			t.Errorf("resumed with %+v, %v", e, err)
		}
		only := h.openLive(t, livePath+"?server_id=b&server_id=b", h.token(t, license, auth.Viewer), "Accept-Encoding", "identity")
		if e := only.until(t, "snapshot", `"current":5`); strings.Contains(e.data, `"server_id":"a"`) {
			t.Errorf("more than was selected: %s", e.data)
		}
	}
	tagged := h.openLive(t, livePath+"?tag=region:eu&server_id=eu-1&server_id=a", h.token(t, ourLicense, auth.Viewer))
	p.send(ourLicense, "eu-2", 50)
	p.send(ourLicense, "eu-1", 60)
	if e := tagged.until(t, "totals", `"current":60`); !strings.Contains(e.data, `"total":1`) {
		t.Errorf("more than was selected: %s", e.data)
	}
	h.openLive(t, livePath+"?group=none", h.token(t, ourLicense, auth.Viewer)).until(t, "snapshot", `"servers":[]`)
	demo := h.openLive(t, demoLivePath, "")
	p.send(demoLicense, "d", 9)
	demo.until(t, "totals", `"current":9`)
}

// A stream that ends is a whole answer, packed or not, in whatever version of HTTP.
func TestLiveOnce(t *testing.T) {
	url := localtest.NATSURL(t)
	h := open(t, unreachable, withLive(t, url, nil))
	token := h.token(t, ourLicense, auth.Viewer)
	f := func(name string, headers ...string) {
		t.Helper()
		a := h.get(t, livePath+"?follow=false", token, headers...)
		if a.err != nil || a.StatusCode != 200 || strings.Count(a.body, "event: ") != 1 || !strings.Contains(a.body, "event: snapshot\n") {
			t.Errorf("%s: %d %q %v", name, a.StatusCode, a.body, a.err)
		}
	}
	f("plain", "Accept-Encoding", "identity")
	f("unpacked by the client, which checks the sum")
	if a := h.do(t, http.MethodHead, livePath, token); a.StatusCode != 200 || a.body != "" || a.Header.Get("Content-Type") != eventStream {
		t.Errorf("HEAD: %d %v", a.StatusCode, a.Header)
	}
	conn, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s?follow=false HTTP/1.0\r\nAuthorization: Bearer %s\r\n\r\n", livePath, token)
	answer, err := io.ReadAll(conn)
	if err != nil || strings.Contains(string(answer), "Transfer-Encoding") || !strings.HasSuffix(string(answer), "]}\n\n") {
		t.Errorf("HTTP/1.0: %q %v", answer, err)
	}
}

func TestLiveBadInput(t *testing.T) {
	h := open(t, unreachable, withLive(t, localtest.NATSURL(t), nil))
	token := h.token(t, ourLicense, auth.Viewer)
	p := h.get(t, livePath+"?follow=maybe&server_id=a%20b&range=24h&license_id=x", token).problem(t, 422, "invalid-request")
	if len(p.Errors) != 4 {
		t.Errorf("faults %+v", p.Errors)
	}
	h.do(t, http.MethodPost, livePath, token).problem(t, 405, "method-not-allowed")
	for _, id := range []string{strings.Repeat("9", 5000), "-1--", "a-b-c", "%00", "x-y-18446744073709551616"} {
		h.openLive(t, livePath+"?follow=false", token, "Last-Event-ID", id).until(t, "snapshot", "")
	}
	without := open(t, unreachable, nil)
	without.get(t, livePath, without.token(t, ourLicense, auth.Viewer)).problem(t, 503, "unavailable")
	noDemo := open(t, unreachable, func(_ *Config, d *Deps) { d.Demo = nil })
	noDemo.get(t, demoLivePath, "").problem(t, 404, "not-found")
}

func TestLiveEnds(t *testing.T) {
	guard := &liveGuard{}
	url := localtest.NATSURL(t)
	h := open(t, unreachable, withLive(t, url, func(_ *live.Config, d *live.Deps) { d.Guard = guard }))
	short, err := h.deps.Keys.Issue(auth.Identity{Subject: "x", License: ourLicense, Role: auth.Viewer}, time.Now(), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	f := func(token, reason string, act func()) {
		t.Helper()
		stream := h.openLive(t, livePath, token)
		stream.until(t, "snapshot", "")
		act()
		stream.until(t, "end", `{"reason":"`+reason+`"}`)
		if _, err := stream.next(); err != io.EOF { //nolint:errorlint // only the bare io.EOF is a whole answer
			t.Errorf("%s: %v behind the end", reason, err)
		}
	}
	long := h.token(t, ourLicense, auth.Viewer)
	f(short, "token-expired", func() {})
	f(long, "license-suspended", func() {
		guard.mu.Lock()
		guard.reason = live.EndedSuspended
		guard.mu.Unlock()
	})
	guard.mu.Lock()
	guard.reason = ""
	guard.mu.Unlock()
	f(long, "shutting-down", h.deps.Live.Close)
}

func TestLiveLimits(t *testing.T) {
	h := open(t, unreachable, withLive(t, localtest.NATSURL(t), func(c *live.Config, _ *live.Deps) { c.MaxAddressListeners = 2 }))
	token := h.token(t, ourLicense, auth.Viewer)
	first := h.openLive(t, livePath, token)
	h.openLive(t, livePath, token)
	if a := h.get(t, livePath, token); a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	} else {
		a.problem(t, 429, "too-many-listeners")
	}
	first.Body.Close()
	localtest.CheckFor(t, 10*time.Second, 10*time.Millisecond, func() error {
		if a := h.get(t, livePath+"?follow=false", token); a.StatusCode != 200 {
			return fmt.Errorf("the place of a client that left is still taken: %d", a.StatusCode)
		}
		return nil
	})
}
