package api

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/live"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// 500 listeners of two licenses under load: each sees its own, and the last state in the end.
func TestLiveManyListeners(t *testing.T) {
	const each, rounds, servers = 250, 20, 20
	url := localtest.NATSURL(t)
	normal := func(c *live.Config, _ *live.Deps) { c.FrameEvery = live.DefaultConfig().FrameEvery }
	h, p := open(t, unreachable, withLive(t, url, normal)), newPublisher(t, url)
	licenses := []uuid.UUID{ourLicense, theirLicense}
	var listeners sync.WaitGroup
	ready := make(chan struct{}, 2*each)
	for i := range 2 * each {
		license, other := licenses[i%2], licenses[1-i%2]
		stream := h.openLive(t, livePath, h.token(t, license, auth.Viewer))
		listeners.Go(func() {
			timer := time.AfterFunc(5*time.Minute, func() { stream.Body.Close() })
			defer timer.Stop()
			for {
				e, err := stream.next()
				if err != nil {
					t.Errorf("listener %d: %v", i, err)
					return
				}
				if strings.Contains(e.data, other.String()) {
					t.Errorf("listener %d sees another license: %.300s", i, e.data)
					return
				}
				if e.name == "snapshot" {
					ready <- struct{}{}
				}
				if e.name == "totals" && strings.Contains(e.data, fmt.Sprintf(`"current":%d,`, rounds*servers)) {
					return
				}
			}
		})
	}
	for range 2 * each {
		select {
		case <-ready:
		case <-time.After(time.Minute):
			t.Fatal("not all listeners have a snapshot")
		}
	}
	for round := 1; round <= rounds; round++ {
		for s := range servers {
			for _, license := range licenses {
				p.send(license, fmt.Sprint("s", s), round)
			}
		}
	}
	listeners.Wait()
}

// A client that reads nothing costs nothing that grows, and finds the latest state when it reads again.
func TestLiveSlowReader(t *testing.T) {
	url := localtest.NATSURL(t)
	h := open(t, unreachable, func(c *Config, d *Deps) {
		withLive(t, url, func(l *live.Config, _ *live.Deps) { l.FrameEvery = time.Millisecond })(c, d)
		c.LiveStall = 10 * time.Minute // a busy machine must not make this one of those that are dropped
	})
	p := newPublisher(t, url)
	slow := h.openLive(t, livePath, h.token(t, ourLicense, auth.Viewer), "Accept-Encoding", "identity")
	slow.until(t, "snapshot", "")
	fast := h.openLive(t, livePath, h.token(t, ourLicense, auth.Viewer), "Accept-Encoding", "identity")
	frames := 0
	round := func(n int) {
		for s := range 40 {
			body := fmt.Sprintf(`{"server_id":"s%d","players":%d,"ts":%d,"metrics":{%s}}`, s, n, time.Now().UnixMilli(), metricsOf(200, n))
			if err := p.nc.Publish(schema.StatsSubject(ourLicense), []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		fast.until(t, "totals", fmt.Sprintf(`"current":%d,`, 40*n))
		frames++
	}
	const rounds = 120 // 40 servers of some 3 KB: 14 MB in all, far more than sockets hold
	round(1)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := 2; n <= rounds; n++ {
		round(n)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	events := 0
	for {
		e, err := slow.next()
		if err != nil {
			t.Fatal(err)
		}
		events++
		if e.name == "totals" && strings.Contains(e.data, fmt.Sprintf(`"current":%d,`, 40*rounds)) {
			break
		}
	}
	if events >= 2*frames {
		t.Errorf("%d events of %d frames: nothing was left out", events, frames)
	}
}

func metricsOf(n, value int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"metric_%03d":%d`, i, value)
		if i < n-1 {
			b.WriteByte(',')
		}
	}
	return b.String()
}

// A client that takes nothing at all is dropped, and the metrics say why.
func TestLiveStall(t *testing.T) {
	url := localtest.NATSURL(t)
	h := open(t, unreachable, func(c *Config, d *Deps) {
		withLive(t, url, func(l *live.Config, _ *live.Deps) { l.FrameEvery = time.Millisecond })(c, d)
		c.LiveStall = 50 * time.Millisecond
	})
	p := newPublisher(t, url)
	h.openLive(t, livePath, h.token(t, ourLicense, auth.Viewer), "Accept-Encoding", "identity").until(t, "snapshot", "")
	n := 0
	localtest.CheckFor(t, 60*time.Second, time.Millisecond, func() error {
		for range 20 {
			n++
			body, _ := json.Marshal(map[string]any{"server_id": fmt.Sprint("s", n%500), "players": n, "map": strings.Repeat("m", 128), "metrics": json.RawMessage("{" + metricsOf(250, n) + "}")})
			if err := p.nc.Publish(schema.StatsSubject(ourLicense), body); err != nil {
				return err
			}
		}
		if metrics := h.get(t, "/metrics", "").body; !strings.Contains(metrics, `corrosion_live_ended_total{reason="too-slow"} 1`) {
			return fmt.Errorf("not dropped after %d samples", n)
		}
		return nil
	})
}
