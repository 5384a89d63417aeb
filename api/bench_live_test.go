package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/live"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

var benchingLive = struct {
	run                *bool
	listeners, servers *int
	phase              *time.Duration
}{
	run:       flag.Bool("bench.live", false, "run TestBenchLive"),
	listeners: flag.Int("bench.listeners", 500, "open streams of TestBenchLive"),
	servers:   flag.Int("bench.servers", 1000, "servers that publish"),
	phase:     flag.Duration("bench.phase", 30*time.Second, "how long each rate is measured"),
}

const (
	// benchLiveURL in the environment makes the test binary an API on that NATS, on one core.
	benchLiveURL = "CORROSION_BENCH_LIVE_URL"
	// benchReaders is how many listeners read what they get; the others only take it, so that they cost little.
	benchReaders = 20
)

// runBenchLive serves until standard input ends.
func runBenchLive(url string) {
	if err := serveBenchLive(url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveBenchLive(url string) error {
	dir, err := os.MkdirTemp("", "corrosion-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	keys, err := auth.LoadOrCreateKeys(filepath.Join(dir, "jwt.key"))
	if err != nil {
		return err
	}
	registry, log := prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	streams := live.DefaultConfig()
	streams.MaxAddressListeners = streams.MaxLicenseListeners
	hub, err := live.New(streams, live.Deps{NATSURL: url, Guard: &liveGuard{}, Registerer: registry, Logger: log})
	if err != nil {
		return err
	}
	cfg := DefaultConfig()
	cfg.Listen, cfg.TokenQuota = "127.0.0.1:0", Quota{Requests: 100_000, Window: time.Second}
	files := encode.DefaultConfig()
	files.URL = unreachable
	exporter, err := encode.New(files)
	if err != nil {
		return err
	}
	defer exporter.Close()
	deps := benchDeps(keys, exporter, registry)
	deps.Live = hub
	server, err := New(cfg, deps)
	if err != nil {
		return err
	}
	if err := server.Open(); err != nil {
		return err
	}
	token, err := keys.Issue(auth.Identity{Subject: "bench", License: ourLicense, Role: auth.Viewer}, time.Now(), 12*time.Hour)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode([]string{"http://" + server.Addr().String(), token}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

// TestBenchLive opens streams to an API on one core and publishes to it: what that costs, and how long a sample takes
// from its publish to the listener.
//
//	make bench-live
func TestBenchLive(t *testing.T) {
	if !*benchingLive.run {
		t.Skip("a benchmark: -bench.live")
	}
	url := localtest.NewNATS(t).URL()
	fmt.Printf("| servers | every | content coding | API, cores | API, peak MiB | KB/s a listener | p50 ms | p99 ms | most ms |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, every := range []time.Duration{10 * time.Second, time.Second} {
		for _, coding := range []string{"gzip", "identity"} {
			newLiveBench(t, url).measure(every, coding)
		}
	}
}

type liveBench struct {
	t          *testing.T
	url, token string
	pid        int
	nc         *nats.Conn
	bytes      atomic.Int64
	mu         sync.Mutex // covers took
	took       []time.Duration
	stop       func()
}

func newLiveBench(t *testing.T, url string) *liveBench {
	t.Helper()
	b := &liveBench{t: t}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), benchLiveURL+"="+url, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.stop = sync.OnceFunc(func() { _ = stdin.Close(); _ = cmd.Wait() })
	t.Cleanup(b.stop)
	var answer []string
	if err := json.NewDecoder(stdout).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	b.url, b.token, b.pid = answer[0], answer[1], cmd.Process.Pid
	if b.nc, err = nats.Connect(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.nc.Close)
	return b
}

func (b *liveBench) measure(every time.Duration, coding string) {
	b.t.Helper()
	end := make(chan struct{})
	var publishing, listening sync.WaitGroup
	for i := range *benchingLive.listeners {
		body := b.listen(coding)
		listening.Go(func() {
			if i < benchReaders {
				b.read(body, coding)
				return
			}
			_, _ = io.Copy(countBytes{&b.bytes}, body)
		})
	}
	publishing.Go(func() { b.publish(every, end) })
	// The first round fills the picture; what follows are changes.
	wait(b.t, every)
	b.mu.Lock()
	b.took = nil
	b.mu.Unlock()
	forgetPeak(b.t, b.pid)
	sent, cpu, begun := b.bytes.Load(), cpuTime(b.t, b.pid), time.Now()
	wait(b.t, *benchingLive.phase)
	seconds := time.Since(begun).Seconds()
	used, peak, got := (cpuTime(b.t, b.pid) - cpu).Seconds(), peakMemory(b.t, b.pid), b.bytes.Load()-sent
	close(end)
	publishing.Wait()
	b.stop()
	listening.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.took) == 0 {
		b.t.Fatal("no listener saw a probe")
	}
	slices.Sort(b.took)
	at := func(q float64) float64 {
		return float64(b.took[int(q*float64(len(b.took)-1))].Microseconds()) / 1000
	}
	fmt.Printf("| %d | %s | %s | %.2f | %d | %.1f | %.0f | %.0f | %.0f |\n", *benchingLive.servers, every, coding,
		used/seconds, peak>>20, float64(got)/seconds/1000/float64(max(1, *benchingLive.listeners-benchReaders)), at(.5), at(.99), at(1))
}

// wait lets a phase of a benchmark pass.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("cut short")
	}
}

type countBytes struct{ n *atomic.Int64 }

func (c countBytes) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

func (b *liveBench) listen(coding string) io.Reader {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+livePath, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+b.token)
	request.Header.Set("Accept-Encoding", coding)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		b.t.Fatal(response.Status)
	}
	return response.Body
}

const probeField = `"sent_us":`

// read notes how long each probe took to come.
func (b *liveBench) read(body io.Reader, coding string) {
	if coding == "gzip" {
		packed, err := gzip.NewReader(body)
		if err != nil {
			b.t.Error(err)
			return
		}
		body = packed
	}
	var rest []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := body.Read(chunk)
		now := time.Now().UnixMicro()
		rest = append(rest, chunk[:n]...)
		for {
			at := bytes.Index(rest, []byte(probeField))
			if at < 0 || len(rest) < at+64 {
				break
			}
			rest = rest[at+len(probeField):]
			digits, _, _ := bytes.Cut(rest[:54], []byte("}"))
			if sent, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
				b.mu.Lock()
				b.took = append(b.took, time.Duration(now-sent)*time.Microsecond)
				b.mu.Unlock()
			}
		}
		rest = append(rest[:0], rest[max(0, len(rest)-128):]...)
		if err != nil {
			return
		}
	}
}

// publish sends each server's sample once in every, spread evenly, and now and then a probe.
func (b *liveBench) publish(every time.Duration, end <-chan struct{}) {
	pad := strings.TrimSuffix(`"max_players":200,"queued":3,"joining":1,"sleepers":412,"frame_ms":16.7,"memory_mb":8123.4,"cpu_percent":55.1,"net_in":120034,"net_out":983214,"uptime_s":86400,"map":"Procedural Map","version":"2588"`, ",")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begun, sent, probe := time.Now(), 0, time.Now()
	for probes := 0; ; {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		due := int(float64(time.Since(begun)) / float64(every) * float64(*benchingLive.servers))
		for ; sent < due; sent++ {
			body := fmt.Sprintf(`{"server_id":"server-%04d","ts":%d,"players":%d,"fps":%.2f,"entities":%d,%s}`,
				sent%*benchingLive.servers, time.Now().UnixMilli(), rand.IntN(200), 40+20*rand.Float64(), 150_000+rand.IntN(50_000), pad)
			_ = b.nc.Publish(schema.StatsSubject(ourLicense), []byte(body))
		}
		if time.Now().After(probe) {
			probe = time.Now().Add(time.Duration(150+rand.IntN(300)) * time.Millisecond)
			body := fmt.Sprintf(`{"server_id":"probe-%d","ts":%d,"metrics":{%s%d}}`, probes%20, time.Now().UnixMilli(), probeField, time.Now().UnixMicro())
			_ = b.nc.Publish(schema.StatsSubject(ourLicense), []byte(body))
			probes++
		}
		_ = b.nc.Flush()
	}
}
