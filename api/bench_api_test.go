package api

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof" //nolint:gosec // in the server that is measured, on loopback
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"corrosion/api/auth"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

var benchingAPI = struct {
	run         *bool
	connections *int
	length      *time.Duration
	rounds      *int
	pprof       *string
}{
	flag.Bool("bench.api", false, "measure requests/s of the API beside a bare Fiber route"),
	flag.Int("bench.connections", 50, "connections of the load"),
	flag.Duration("bench.length", 5*time.Second, "how long each route is asked"),
	flag.Int("bench.apirounds", 2, "how often all routes are asked"),
	flag.String("bench.pprof", "", "keep a CPU profile of the server while it answers summary"),
}

// benchAPIURL tells the process of the server where Postgres is.
const benchAPIURL = "CORROSION_BENCH_API"

// benchRoute is a line of the table: what is asked, with a token or without.
type benchRoute struct{ name, url, token string }

// benchPlaces is what the server's process says once it serves. Routes that there are not yet answer 404 and are left out.
type benchPlaces struct{ Bare, API, Person, License, Profile string }

func (p benchPlaces) routes() []benchRoute {
	return []benchRoute{
		{"bare Fiber route", p.Bare, ""},
		{"GET /api/analytics/summary (warm)", p.API + "/api/analytics/summary?range=24h", p.License},
		{"GET /api/auth/me", p.API + mePath, p.Person},
		{"GET /api/modules", p.API + "/api/modules", p.License},
	}
}

// TestBenchAPI measures requests/s and the time of each, of an API in a process of its own, over 50 connections.
//
//	make bench-api
func TestBenchAPI(t *testing.T) {
	if !*benchingAPI.run {
		t.Skip("give -bench.api, as make bench-api does")
	}
	places := startBenchAPI(t)
	best := map[string]benchResult{}
	for range *benchingAPI.rounds {
		for _, route := range places.routes() {
			if status := askOnce(t, route); status != http.StatusOK {
				t.Logf("%-36s answers %d: left out", route.name, status)
				continue
			}
			if route.name[:3] == "GET" && *benchingAPI.pprof != "" {
				go profile(t, places.Profile, *benchingAPI.pprof)
			}
			r := load(t, route)
			if r.rate > best[route.name].rate {
				best[route.name] = r
			}
			t.Logf("%-36s %9.0f requests/s  p50 %6.2f ms  p99 %6.2f ms  %d bad", route.name, r.rate, r.p50, r.p99, r.bad)
		}
	}
	bare := best["bare Fiber route"].rate
	for _, route := range places.routes()[1:] {
		if r, ok := best[route.name]; ok {
			t.Logf("%-36s best %9.0f requests/s, %.0f %% of bare; p99 %.2f ms", route.name, r.rate, 100*r.rate/bare, r.p99)
		}
	}
}

type benchResult struct {
	rate, p50, p99 float64
	bad            int
}

func askOnce(t *testing.T, route benchRoute) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, route.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if route.token != "" {
		request.Header.Set("Authorization", "Bearer "+route.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// load asks one route over all connections, each one request after the other.
func load(t *testing.T, route benchRoute) benchResult {
	t.Helper()
	client := &fasthttp.HostClient{Addr: hostOf(t, route.url), MaxConns: *benchingAPI.connections}
	defer client.CloseIdleConnections()
	var mu sync.Mutex // covers took and bad
	var took []time.Duration
	bad := 0
	begun := time.Now()
	end := begun.Add(*benchingAPI.length)
	var wait sync.WaitGroup
	for range *benchingAPI.connections {
		wait.Go(func() {
			own, faults := askUntil(client, route, end)
			mu.Lock()
			defer mu.Unlock()
			took, bad = append(took, own...), bad+faults
		})
	}
	wait.Wait()
	seconds := time.Since(begun).Seconds()
	slices.Sort(took)
	at := func(q float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000
	}
	return benchResult{float64(len(took)) / seconds, at(.5), at(.99), bad}
}

func askUntil(client *fasthttp.HostClient, route benchRoute, end time.Time) (took []time.Duration, bad int) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	request.SetRequestURI(route.url)
	if route.token != "" {
		request.Header.Set("Authorization", "Bearer "+route.token)
	}
	for {
		begun := time.Now()
		if begun.After(end) {
			return took, bad
		}
		if err := client.Do(request, response); err != nil || response.StatusCode() != http.StatusOK {
			bad++
		}
		took = append(took, time.Since(begun))
	}
}

func hostOf(t *testing.T, text string) string {
	t.Helper()
	uri := fasthttp.AcquireURI()
	defer fasthttp.ReleaseURI(uri)
	if err := uri.Parse(nil, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return string(uri.Host())
}

func profile(t *testing.T, url, path string) {
	response, err := http.Get(fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", url, max(1, int(benchingAPI.length.Seconds())-1))) //nolint:noctx // ends with the server
	if err != nil {
		t.Log(err)
		return
	}
	defer response.Body.Close()
	data, _ := io.ReadAll(response.Body)
	_ = os.WriteFile(path, data, 0o600)
}

// startBenchAPI starts the server in a process of its own, on stores with a license of 50 servers and a day of samples.
func startBenchAPI(t *testing.T) (places benchPlaces) {
	t.Helper()
	url, clickhouseURL := schematest.PostgresURL(t), schematest.ClickHouseURL(t)
	conn := schematest.ClickHouse(t)
	var samples []schema.Sample
	for server := range 50 {
		for minute := range 600 {
			samples = append(samples, sampleAt(ourLicense, fmt.Sprint("s", server), time.Now().Add(-time.Duration(minute)*time.Minute)))
		}
	}
	schematest.InsertSamples(t, conn, samples)
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^$")
	command.Env = append(os.Environ(), benchAPIURL+"="+url+" "+clickhouseURL)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &places)
	}
	if err != nil {
		t.Fatalf("the server says %q: %v", line, err)
	}
	return places
}

// runBenchServer serves until standard input ends.
func runBenchServer(urls string) {
	if err := serveBench(urls); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveBench(urls string) error {
	var postgres, clickhouseURL string
	if _, err := fmt.Sscan(urls, &postgres, &clickhouseURL); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "corrosion-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	keys, err := auth.LoadOrCreateKeys(filepath.Join(dir, "jwt.key"))
	if err != nil {
		return err
	}
	server, places, err := openBench(postgres, clickhouseURL, keys)
	if err != nil {
		return err
	}
	bare := fiber.New(fiber.Config{DisableStartupMessage: true})
	body := make([]byte, 600) // as long as a summary
	bare.Get("/", func(c *fiber.Ctx) error { return c.Send(body) })
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the process
	if err != nil {
		return err
	}
	go bare.Listener(listener)                        //nolint:errcheck // ends with the process
	profiles, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the process
	if err != nil {
		return err
	}
	go http.Serve(profiles, nil) //nolint:errcheck,gosec // ends with the process
	places.Bare, places.Profile = "http://"+listener.Addr().String()+"/", "http://"+profiles.Addr().String()
	if err := json.NewEncoder(os.Stdout).Encode(places); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close()
}
