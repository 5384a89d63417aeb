package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

var benching = struct {
	export *bool
	rows   *string
	rounds *int
}{
	export: flag.Bool("bench.export", false, "run TestBenchExport"),
	rows:   flag.String("bench.rows", "1000000,20000000", "`rows` of each export of TestBenchExport"),
	rounds: flag.Int("bench.rounds", 5, "how often TestBenchExport exports each way"),
}

// benchExportURL in the environment makes the test binary an API on that ClickHouse, to measure it alone.
const benchExportURL = "CORROSION_BENCH_EXPORT_URL"

// benchAPI is what the measured process says of itself.
type benchAPI struct {
	URL    string
	Tokens map[uuid.UUID]string
}

// runBenchAPI serves until standard input ends.
func runBenchAPI(clickhouse string) {
	if err := serveBenchAPI(clickhouse); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveBenchAPI(clickhouse string) error {
	dir, err := os.MkdirTemp("", "corrosion-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	keys, err := auth.LoadOrCreateKeys(filepath.Join(dir, "jwt.key"))
	if err != nil {
		return err
	}
	files := encode.DefaultConfig()
	files.URL = clickhouse
	exporter, err := encode.New(files)
	if err != nil {
		return err
	}
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	registry := prometheus.NewRegistry()
	server, err := New(cfg, benchDeps(keys, exporter, registry))
	if err != nil {
		return err
	}
	if err := server.Open(); err != nil {
		return err
	}
	api := benchAPI{URL: "http://" + server.Addr().String(), Tokens: map[uuid.UUID]string{}}
	for _, license := range []uuid.UUID{ourLicense, theirLicense} {
		if api.Tokens[license], err = keys.Issue(auth.Identity{Subject: "bench", License: license, Role: auth.Viewer}, time.Now(), 12*time.Hour); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(api); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

// benchDeps are those of a server that is measured; only exporter need be real.
func benchDeps(keys *auth.Keys, exporter *encode.Exporter, registry *prometheus.Registry) Deps {
	return Deps{
		Queries: &fakeQueries{}, Registry: fakeRegistry{}, Events: struct{ Events }{}, Quotas: fakeQuotas{}, Exporter: exporter, Keys: keys,
		Licenses: fakeLicenses{ourLicense: LicenseActive, theirLicense: LicenseActive},
		Gatherer: registry, Registerer: registry, Logger: slog.New(slog.DiscardHandler),
	}
}

// exportBench is one run: an engine and an API of their own.
type exportBench struct {
	engine    *localtest.ClickHouseServer
	api       benchAPI
	apiPID    int
	enginePID int
}

// TestBenchExport measures exports of the API against the engine's own format over HTTP, with the same columns in the same
// order, in turns, and the most memory that the API's process and the engine's held meanwhile.
//
//	make bench-export
func TestBenchExport(t *testing.T) {
	if !*benching.export {
		t.Skip("a benchmark: -bench.export")
	}
	b := newExportBench(t)
	conn := schematest.Connect(t, b.engine.URL())
	fmt.Printf("| rows | file | MB | engine, rows/s | API, rows/s | of the engine | API, peak MiB | engine, peak MiB: alone | for the API | CPU seconds: engine alone | engine + API |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i, text := range strings.Split(*benching.rows, ",") {
		rows, err := strconv.Atoi(text)
		if err != nil || i > 1 {
			t.Fatalf("-bench.rows=%s: want one or two numbers", *benching.rows)
		}
		license := []uuid.UUID{ourLicense, theirLicense}[i]
		fillLicense(t, conn, license, rows)
		for _, coding := range []string{"identity", "gzip", "zstd"} {
			b.measure(t, license, rows, coding)
		}
	}
}

func newExportBench(t *testing.T) *exportBench {
	t.Helper()
	b := &exportBench{engine: localtest.NewClickHouse(t)}
	if _, err := schema.MigrateClickHouse(t.Context(), b.engine.URL()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), benchExportURL+"="+b.engine.HTTPURL())
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
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	if err := json.NewDecoder(stdout).Decode(&b.api); err != nil {
		t.Fatal(err)
	}
	b.apiPID, b.enginePID = cmd.Process.Pid, b.engine.PID()
	return b
}

// fillLicense stores rows of a thousand servers, merged.
func fillLicense(t *testing.T, conn driver.Conn, license uuid.UUID, rows int) {
	t.Helper()
	const at = 1_000_000
	for from := 0; from < rows; from += at {
		manySamplesFrom(t, conn, license, 1000, from, min(at, rows-from))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	if err := conn.Exec(ctx, "OPTIMIZE TABLE corrosion.samples FINAL SETTINGS max_execution_time = 0, receive_timeout = 1200"); err != nil {
		t.Fatal(err)
	}
}

// turn is one export.
type turn struct {
	seconds             float64
	bytes               int64
	apiPeak, enginePeak int
	apiCPU, engineCPU   time.Duration
}

func (b *exportBench) measure(t *testing.T, license uuid.UUID, rows int, coding string) {
	t.Helper()
	var engine, ours []turn
	for range *benching.rounds {
		engine = append(engine, b.turn(t, func() *http.Response {
			return engineExport(t, b.engine.HTTPURL(), license, "CSVWithNames", coding)
		}))
		ours = append(ours, b.turn(t, func() *http.Response { return b.export(t, license, coding) }))
	}
	e, o := median(engine), median(ours)
	most := func(turns []turn, of func(turn) int) float64 {
		return float64(of(slices.MaxFunc(turns, func(a, b turn) int { return cmp.Compare(of(a), of(b)) }))) / (1 << 20)
	}
	enginePeak := func(t turn) int { return t.enginePeak }
	cpu := func(turns []turn, of func(turn) time.Duration) (s float64) {
		for _, one := range turns {
			s += of(one).Seconds() / float64(len(turns))
		}
		return s
	}
	engineCPU := func(t turn) time.Duration { return t.engineCPU }
	fmt.Printf("| %d | CSV, %s | %d | %.0f | %.0f | %.0f %% | %.0f | %.0f | %.0f | %.2f | %.2f + %.2f |\n", rows, coding, o.bytes/1e6,
		float64(rows)/e.seconds, float64(rows)/o.seconds, 100*e.seconds/o.seconds,
		most(ours, func(t turn) int { return t.apiPeak }), most(engine, enginePeak), most(ours, enginePeak),
		cpu(engine, engineCPU), cpu(ours, engineCPU), cpu(ours, func(t turn) time.Duration { return t.apiCPU }))
}

func median(turns []turn) turn {
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Compare(a.seconds, b.seconds) })
	return turns[len(turns)/2]
}

// turn reads one export to its end and discards it.
func (b *exportBench) turn(t *testing.T, start func() *http.Response) turn {
	t.Helper()
	forgetPeak(t, b.apiPID)
	forgetPeak(t, b.enginePID)
	api, engine, begun := cpuTime(t, b.apiPID), cpuTime(t, b.enginePID), time.Now()
	size := drain(t, start()) //nolint:bodyclose // drain does
	return turn{
		seconds: time.Since(begun).Seconds(), bytes: size,
		apiPeak: peakMemory(t, b.apiPID), enginePeak: peakMemory(t, b.enginePID),
		apiCPU: cpuTime(t, b.apiPID) - api, engineCPU: cpuTime(t, b.enginePID) - engine,
	}
}

func (b *exportBench) export(t *testing.T, license uuid.UUID, coding string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.api.URL+exportPath+"?range=7d", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+b.api.Tokens[license])
	request.Header.Set("Accept-Encoding", coding)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// forgetPeak makes a process's peak what it holds now.
func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Skipf("the system does not tell peaks of memory: %v", err)
	}
}

// peakMemory is the most bytes that a process held since forgetPeak.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	kib, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	n, err := strconv.Atoi(string(kib))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// cpuTime is the user and system time that a process has used so far.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	ticks := 0
	for _, field := range fields[11:13] { // in hundredths of a second
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
