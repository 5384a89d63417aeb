package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

var (
	benchCapacity = flag.Bool("bench.capacity", false, "measure what servers cost, for docs/capacity.md")
	capacityRuns  = flag.String("bench.runs", "1/60s,100/10s,100/1s,1000/10s,1000/1s,10000/10s,10000/3s,10000/1s,100000/60s,100000/10s", "servers/interval with commas between")
	capacityPhase = flag.Duration("bench.phase", 50*time.Second, "how long is measured, after a third of it to warm up")
)

// serversPerLicense is how many servers one license simulates at most.
const serversPerLicense = 10_000

// TestBenchCapacity runs the platform under `corrosion simulate`, one message a sample, and prints the processor time of the
// platform (ingester, NATS, API and jobs are one process here) and of ClickHouse, and what samples and hours take on disk.
func TestBenchCapacity(t *testing.T) {
	if !*benchCapacity {
		t.Skip("make bench-capacity")
	}
	var table strings.Builder
	table.WriteString("| servers | every | samples/s | platform, cores | ClickHouse, cores | platform MiB | ClickHouse MiB | inserts/s | bytes a sample | bytes a message waiting |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for one := range strings.SplitSeq(*capacityRuns, ",") {
		count, interval, found := strings.Cut(one, "/")
		servers, err := strconv.Atoi(count)
		if !found || err != nil {
			t.Fatalf("-bench.runs has %q: want servers/interval", one)
		}
		table.WriteString(measureCapacity(t, servers, interval))
		t.Log("\n" + table.String())
	}
}

// measureCapacity is one run on a fresh directory.
func measureCapacity(t *testing.T, servers int, interval string) string {
	s := &soak{t: t, data: t.TempDir()}
	s.serve()
	// A license's quota is 20,000 servers.
	licenses := ensureLicenses(t, s.at.Postgres, (servers+serversPerLicense-1)/serversPerLicense)
	var loads []*child
	for _, license := range licenses {
		loads = append(loads, startChild(t, "simulate", "--nats-url", s.at.NATS, "--license", license.String(), "--servers", strconv.Itoa(servers/len(licenses)),
			"--interval", interval, "--per-server", "--duration", (*capacityPhase*5/3).String()))
	}
	time.Sleep(*capacityPhase / 3)
	engine, err := engineOf(s.child.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, s.at.ClickHouseNative)
	counts := func() (rows, inserts uint64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT (SELECT count() FROM corrosion.samples), (SELECT value FROM system.events WHERE event = 'InsertQuery')`).Scan(&rows, &inserts); err != nil {
			t.Fatal(err)
		}
		return rows, inserts
	}
	rows, inserts := counts()
	cpu := [2]float64{cpuSeconds(t, s.child.cmd.Process.Pid), cpuSeconds(t, engine)}
	begun := time.Now()
	time.Sleep(*capacityPhase)
	took := time.Since(begun).Seconds()
	later, laterInserts := counts()
	memory, err := residentMiB(engine)
	if err != nil {
		t.Fatal(err)
	}
	own, err := residentMiB(s.child.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("| %d | %s | %.0f | %.3f | %.3f | %.0f | %.0f | %.1f | ", servers, interval, float64(later-rows)/took,
		(cpuSeconds(t, s.child.cmd.Process.Pid)-cpu[0])/took, (cpuSeconds(t, engine)-cpu[1])/took, own, memory, float64(laterInserts-inserts)/took)
	var size float64
	if err := conn.Exec(t.Context(), "OPTIMIZE TABLE corrosion.samples FINAL"); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), `SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE database = 'corrosion' AND table = 'samples' AND active`).Scan(&size); err != nil {
		t.Fatal(err)
	}
	line += fmt.Sprintf("%.1f | %.0f |\n", size, s.bytesWaiting(engine))
	for _, load := range loads {
		_ = load.cmd.Process.Kill()
	}
	_ = s.child.cmd.Process.Signal(os.Interrupt)
	localtest.CheckFor(t, time.Minute, 100*time.Millisecond, func() error {
		_, err := local.ReadEndpoints(s.data)
		if err == nil {
			return fmt.Errorf("serve is still there")
		}
		return nil
	})
	return line
}

// bytesWaiting stops ClickHouse for a while and says what a message takes in its stream, bytes.
func (s *soak) bytesWaiting(engine int) float64 {
	s.t.Helper()
	if err := syscall.Kill(engine, syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(engine, syscall.SIGCONT) }()
	time.Sleep(*capacityPhase / 5)
	conn, err := nats.Connect(s.at.NATS)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		s.t.Fatal(err)
	}
	stream, err := js.Stream(s.t.Context(), schema.StreamStatsByServer)
	if err != nil {
		s.t.Fatal(err)
	}
	state := stream.CachedInfo().State
	return float64(state.Bytes) / max(1, float64(state.Msgs))
}

// cpuSeconds is the processor time of a process so far, user and system.
func cpuSeconds(t *testing.T, pid int) float64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	words := strings.Fields(rest)
	var ticks float64
	for _, word := range words[11:13] { // utime, stime
		n, err := strconv.ParseFloat(word, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return ticks / 100 // USER_HZ
}
