package ingest

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

var benching = struct {
	ingest, fresh, growth    *bool
	single, batched, metrics *int
	rounds                   *int
	profile                  *string
}{
	ingest:  flag.Bool("bench.ingest", false, "run TestBenchIngest"),
	fresh:   flag.Bool("bench.fresh", false, "run TestBenchFresh"),
	growth:  flag.Bool("bench.growth", false, "run TestBenchGrowth"),
	single:  flag.Int("bench.single", 1_000_000, "`samples` of the backlog with one a message; 0: leave it out"),
	batched: flag.Int("bench.batched", 3_000_000, "`samples` of the backlog with a hundred a message; 0: leave it out"),
	metrics: flag.Int("bench.metrics", 50_000, "`samples` of the backlog with 256 metrics each, ten a message; 0: leave it out"),
	rounds:  flag.Int("bench.rounds", 3, "how often each figure is measured; the median counts"),
	profile: flag.String("bench.profile", "", "`directory` for CPU profiles of our process"),
}

// TestBenchIngest compares draining a backlog with its parts, each alone in a process of its own against the same
// servers: pulling and acknowledging the messages, and inserting the rows. The parts share the machine's cores, so one
// after the other they would take 1/pull + 1/insert: that is the ceiling.
//
//	go test ./ingest -run TestBenchIngest -v -timeout 60m -args -bench.ingest
func TestBenchIngest(t *testing.T) {
	if !*benching.ingest {
		t.Skip("a benchmark: -bench.ingest")
	}
	servers := newBenchServers(t)
	var table strings.Builder
	table.WriteString("| samples | a message | pull/s | insert/s | ceiling/s | drain/s | of ceiling | CPU s a million | of NATS | of ClickHouse | allocations a sample | peak MiB | start s |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct {
		name                  string
		samples, per, metrics int
	}{
		{"single", *benching.single, 1, 0}, {"batched", *benching.batched, 100, 0}, {"metrics", *benching.metrics, 10, 256},
	} {
		if c.samples > 0 {
			table.WriteString(servers.compare(t, c.name, c.samples/c.per, c.per, c.metrics))
		}
	}
	fmt.Printf("\n%s", table.String())
}

// benchServers are a NATS and a ClickHouse in processes of their own.
type benchServers struct {
	nats       *localtest.NATSServer
	clickhouse *localtest.ClickHouseServer
	conn       driver.Conn
}

func newBenchServers(t testing.TB) *benchServers {
	t.Helper()
	s := &benchServers{nats: localtest.NewNATS(t, localtest.WithNATSMaxStore(20<<30))}
	s.clickhouse, s.conn = newBenchClickHouse(t)
	return s
}

func newBenchClickHouse(t testing.TB, options ...localtest.ClickHouseOption) (*localtest.ClickHouseServer, driver.Conn) {
	t.Helper()
	server := localtest.NewClickHouse(t, options...)
	if _, err := schema.MigrateClickHouse(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	return server, schematest.Connect(t, server.URL())
}

// clear empties the tables.
func (s *benchServers) clear(t testing.TB) {
	t.Helper()
	for _, table := range []string{"samples", "samples_hourly", "metrics_hourly", "message_ids"} {
		if err := s.conn.Exec(t.Context(), "TRUNCATE TABLE corrosion."+table+" SYNC"); err != nil {
			t.Fatal(err)
		}
	}
}

// engines is the CPU that NATS and ClickHouse have used.
type engines struct{ nats, clickhouse time.Duration }

func (s *benchServers) engines() engines {
	return engines{processCPU(s.nats.PID()), processCPU(s.clickhouse.PID())}
}

// since is what was used after an earlier look.
func (e engines) since(before engines) engines {
	return engines{e.nats - before.nats, e.clickhouse - before.clickhouse}
}

// processCPU is what a process used so far, in steps of 10 ms; 0 where the system has no /proc.
func processCPU(pid int) time.Duration {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	words := bytes.Fields(rest)
	if len(words) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(string(words[11]))
	system, _ := strconv.Atoi(string(words[12]))
	return time.Duration(user+system) * 10 * time.Millisecond
}

// drained is one round.
type drained struct {
	pull, insert, drain measured
	engines             engines // while draining
}

func (s *benchServers) compare(t *testing.T, name string, messages, per, metrics int) string {
	samples := float64(messages * per)
	var rounds []drained
	for n := range *benching.rounds {
		d := s.round(t, name, messages, per, metrics)
		rounds = append(rounds, d)
		fmt.Printf("%s %d: pull %.0f/s, insert %.0f/s, drain %.0f/s; load %s\n", name, n+1,
			samples/d.pull.Seconds, samples/d.insert.Seconds, samples/d.drain.Seconds, loadAverage())
	}
	mid := func(of func(drained) float64) float64 { return median(rounds, of) }
	pull := samples / mid(func(d drained) float64 { return d.pull.Seconds })
	insert := samples / mid(func(d drained) float64 { return d.insert.Seconds })
	drain := samples / mid(func(d drained) float64 { return d.drain.Seconds })
	ceiling := 1 / (1/pull + 1/insert)
	million := samples / 1e6
	return fmt.Sprintf("| %d | %d | %.0f | %.0f | %.0f | %.0f | %.0f %% | %.2f | %.2f | %.2f | %.3f | %.0f | %.2f |\n",
		messages*per, per, pull, insert, ceiling, drain, 100*drain/ceiling,
		mid(func(d drained) float64 { return d.drain.CPU })/million,
		mid(func(d drained) float64 { return d.engines.nats.Seconds() })/million,
		mid(func(d drained) float64 { return d.engines.clickhouse.Seconds() })/million,
		mid(func(d drained) float64 { return float64(d.drain.Allocs) })/samples,
		slices.Max(column(rounds, func(d drained) float64 { return float64(d.drain.Peak) }))/(1<<20),
		mid(func(d drained) float64 { return d.drain.Start }))
}

func (s *benchServers) round(t *testing.T, name string, messages, per, metrics int) (d drained) {
	t.Helper()
	j := job{NATS: s.nats.URL(), ClickHouse: s.clickhouse.URL(), Messages: messages, Per: per, Metrics: metrics}
	do := func(what string) measured {
		j.Do = what
		if j.Profile = ""; *benching.profile != "" {
			j.Profile = filepath.Join(*benching.profile, name+"-"+what+".pprof")
		}
		_, result := startWorker(t, j)
		return result()
	}
	s.clear(t)
	d.insert = do("insert")
	s.check(t, messages*per)
	publishBacklog(t, j.NATS, benchConfig(j), newTraffic(per, metrics), messages)
	d.pull = do("pull")
	s.clear(t)
	bytes := publishBacklog(t, j.NATS, benchConfig(j), newTraffic(per, metrics), messages)
	before := s.engines()
	d.drain = do("drain")
	d.engines = s.engines().since(before)
	s.check(t, messages*per)
	fmt.Printf("%s: %d messages of %d bytes\n", name, messages, bytes/messages)
	return d
}

// check wants every sample stored and rolled up once.
func (s *benchServers) check(t testing.TB, want int) {
	t.Helper()
	var rows, hourly uint64
	err := s.conn.QueryRow(t.Context(), "SELECT (SELECT count() FROM corrosion.samples), (SELECT sum(samples) FROM corrosion.samples_hourly)").Scan(&rows, &hourly)
	if err != nil || rows != uint64(want) || hourly != rows {
		t.Fatalf("%d rows and %d in the hours, want %d: %v", rows, hourly, want, err)
	}
}

func column[T any, V cmp.Ordered](all []T, of func(T) V) (values []V) {
	for _, one := range all {
		values = append(values, of(one))
	}
	slices.Sort(values)
	return values
}

func median[T any](all []T, of func(T) float64) float64 {
	values := column(all, of)
	return values[len(values)/2]
}

// loadAverage is how many processes wanted the cores in the last minute, ours among them.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return string(bytes.Fields(text)[0])
}
