package query

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

var benching = struct {
	run                                       *bool
	servers, others, raw, hours, asked, dense *int
	limit                                     *time.Duration
	data, only, clients                       *string
	trace                                     *bool
}{
	run:     flag.Bool("bench.query", false, "run TestBenchQuery"),
	servers: flag.Int("bench.servers", 1000, "`servers` of the license that is asked; a second one has a tenth"),
	others:  flag.Int("bench.others", 20, "`servers` of each of the eight licenses beside them"),
	raw:     flag.Int("bench.raw", 7, "`days` of samples every 10 s"),
	dense:   flag.Int("bench.dense", 7, "`days` of them every 10 s; those before every minute"),
	hours:   flag.Int("bench.hours", 90, "`days` of hours, those with samples included"),
	asked:   flag.Int("bench.asked", 100, "`times` that each question is asked by each number of clients"),
	limit:   flag.Duration("bench.limit", time.Hour, "how `long` to fill; with -bench.data another run goes on"),
	data:    flag.String("bench.data", "", "`directory` that keeps what was filled, for another run; absent: nothing is kept"),
	only:    flag.String("bench.only", "", "`pattern` of the questions to ask"),
	trace:   flag.Bool("bench.trace", false, "print what each statement took and read instead, as ClickHouse says"),
	clients: flag.String("bench.clients", "1,4,16", "`numbers` of clients that ask at once"),
}

// TestBenchQuery prints how long summaries and timeseries of a license take, beside a license with a tenth of the servers.
//
//	make bench-query ARGS="-bench.servers 100 -bench.raw 2 -bench.hours 30"
func TestBenchQuery(t *testing.T) {
	if !*benching.run {
		t.Skip("a benchmark: -bench.query")
	}
	var options []localtest.ClickHouseOption
	if *benching.data != "" {
		options = append(options, localtest.WithClickHouseDir(*benching.data))
	}
	server := localtest.NewClickHouse(t, options...)
	if _, err := schema.MigrateClickHouse(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, server.URL())
	// A day more than is asked for: nothing expires while it is measured.
	if err := schema.ApplyRetention(t.Context(), conn, schema.Retention{Raw: time.Duration(*benching.raw+1) * day, Hourly: time.Duration(*benching.hours+1) * day}); err != nil {
		t.Fatal(err)
	}
	networks := benchNetworks()
	now := fillNetworks(t, conn, networks)
	buildTotals(t, conn)
	printSizes(t, conn)
	engine := New(conn, DefaultConfig(), func() time.Time { return now })
	chosen := regexp.MustCompile(*benching.only)
	questions := [2][]question{benchQuestions(engine, networks[0], now), benchQuestions(engine, networks[1], now)}
	if *benching.trace {
		for _, q := range questions[0] {
			if chosen.MatchString(q.name) {
				q.trace(t, conn)
			}
		}
		return
	}
	fmt.Printf("\np50 / p99 in ms of %d answers each; load %s\n\n| question | %d servers, %s clients | %d servers, 1 client | times for ten times the data |\n|---%s|---|---|\n",
		*benching.asked, loadAverage(), networks[0].servers, strings.ReplaceAll(*benching.clients, ",", " clients | "), networks[1].servers, strings.Repeat("|---", 1+strings.Count(*benching.clients, ",")))
	for i, q := range questions[0] {
		if chosen.MatchString(q.name) {
			q.print(t, questions[1][i])
		}
	}
	fmt.Println("\nload", loadAverage())
}

// print is a line of the table; less is the same question about a tenth of the data.
func (q question) print(t *testing.T, less question) {
	t.Helper()
	line := "| " + q.name
	var alone float64
	for _, text := range strings.Split(*benching.clients, ",") {
		clients, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		p50, p99 := q.measure(t, clients)
		line += fmt.Sprintf(" | %.0f / %.0f", p50, p99)
		if clients == 1 {
			alone = p50
		}
	}
	p50, p99 := less.measure(t, 1)
	fmt.Printf("%s | %.0f / %.0f | %.1f |\n", line, p50, p99, alone/p50)
}

// benchNetworks are ten licenses; the first is asked, the second has a tenth of its servers.
func benchNetworks() []network {
	networks := make([]network, 10)
	for i := range networks {
		networks[i] = network{uuid.MustParse(fmt.Sprintf("00000000-0000-4000-8000-0000000be%03d", i)), *benching.others}
	}
	networks[0].servers, networks[1].servers = *benching.servers, max(*benching.servers/10, 1)
	return networks
}

// fillNetworks stores what is not there yet and returns the moment just after the newest sample.
func fillNetworks(t *testing.T, conn driver.Conn, networks []network) time.Time {
	t.Helper()
	newest := func(n network) (at time.Time) {
		if err := conn.QueryRow(t.Context(), "SELECT max(ts) FROM corrosion.samples WHERE license_id = ?", n.license).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	fill := benchFill{conn: conn, now: time.Now(), rawDays: *benching.raw, denseDays: *benching.dense, hourDays: *benching.hours, until: time.Now().Add(*benching.limit)}
	from := newest(networks[len(networks)-1]).Truncate(10 * time.Second).Add(10 * time.Second)
	if fill.now.Sub(from) > 30*day {
		for _, n := range networks {
			fill.hours(t, n)
		}
		from = fill.rawFrom()
	}
	if fill.now.Sub(from) > 3*time.Hour {
		fill.raw(t, networks, from)
	}
	return newest(networks[0]).Add(time.Millisecond)
}

// buildTotals has the totals of all whole minutes and hours computed, a bounded part at a time as ever.
func buildTotals(t *testing.T, conn driver.Conn) {
	t.Helper()
	begun := time.Now()
	for before := uint64(1); ; {
		refreshTotals(t, conn)
		var rows uint64
		err := conn.QueryRow(t.Context(), "SELECT (SELECT uniqExact(license_id, minute) FROM corrosion.license_minutely_totals) + (SELECT uniqExact(license_id, hour) FROM corrosion.license_hourly_totals) + (SELECT uniqExact(license_id, day) FROM corrosion.server_daily)").Scan(&rows)
		if err != nil {
			t.Fatal(err)
		}
		if rows == before {
			fmt.Printf("built %d rows of totals in %s; load %s\n", rows, time.Since(begun).Round(time.Second), loadAverage())
			return
		}
		before = rows
	}
}

func printSizes(t *testing.T, conn driver.Conn) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT table, sum(rows), sum(bytes_on_disk), sum(bytes_on_disk) / (SELECT count() FROM corrosion.samples)
		FROM system.parts WHERE active AND database = 'corrosion' GROUP BY table ORDER BY sum(bytes_on_disk) DESC`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	fmt.Print("\n| table | rows | bytes | bytes a sample |\n|---|---|---|---|\n")
	for rows.Next() {
		var table string
		var count, bytes uint64
		var each float64
		if err := rows.Scan(&table, &count, &bytes, &each); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("| %s | %d | %d | %.2f |\n", table, count, bytes, each)
	}
}

// question is asked again and again.
type question struct {
	name string
	ask  func(context.Context) error
}

// benchQuestions are those of a dashboard, with ranges and steps as the API takes them.
func benchQuestions(e *Engine, n network, now time.Time) (questions []question) {
	all, one := Scope{License: n.license}, Scope{License: n.license, Servers: []string{"server-00007"}}
	for _, length := range []string{"24h", "7d", "30d"} {
		r, faults := ParseRange(RangeParams{Range: length}, now, schema.DefaultRetention())
		if faults != nil {
			panic(faults)
		}
		for _, s := range []struct {
			name string
			Scope
		}{{"all", all}, {"one", one}} {
			series := func(metric string, agg Agg) func(context.Context) error {
				return func(ctx context.Context) error {
					_, err := e.Timeseries(ctx, TimeseriesRequest{Scope: s.Scope, Range: r, Metrics: []string{metric}, Agg: agg})
					return err
				}
			}
			questions = append(questions,
				question{length + ", " + s.name + ", summary", func(ctx context.Context) error {
					_, err := e.Summary(ctx, SummaryRequest{s.Scope, r})
					return err
				}},
				question{length + ", " + s.name + ", players avg", series("players", Avg)},
				question{length + ", " + s.name + ", fps p95", series("fps", P95)})
		}
	}
	return questions
}

// traced is what a question's statements took, as ClickHouse's own log says.
const traced = `SELECT log_comment, count() AS n, toUInt64(quantile(0.5)(query_duration_ms)), toUInt64(max(query_duration_ms)), toUInt64(avg(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1000),
		toUInt64(avg(read_rows)), toUInt64(avg(read_bytes) / 1024), toUInt64(max(memory_usage) / 1048576)
	FROM system.query_log WHERE type = 'QueryFinish' AND startsWith(log_comment, 'api/query ') AND event_time_microseconds >= fromUnixTimestamp64Micro(?) GROUP BY log_comment ORDER BY 3 DESC`

// trace asks some times and prints each statement's share.
func (q question) trace(t *testing.T, conn driver.Conn) {
	t.Helper()
	var times []float64
	begun := time.Now()
	for i := range 11 {
		if i == 1 { // the first warms up
			begun, times = time.Now(), nil
		}
		at := time.Now()
		if err := q.ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Since(at).Seconds()*1000)
	}
	p50, _, _ := percentile(times, 0.5)
	fmt.Printf("\n%s: p50 %.0f ms of 10; load %s\n\n| statement | times | p50 ms | most ms | CPU ms | rows read | KiB read | peak MiB |\n|---|---|---|---|---|---|---|---|\n", q.name, p50, loadAverage())
	if err := conn.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), traced, begun.UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n, p50, most, cpu, read, kib, mib uint64
		if err := rows.Scan(&name, &n, &p50, &most, &cpu, &read, &kib, &mib); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("| %s | %d | %d | %d | %d | %d | %d | %d |\n", strings.TrimPrefix(name, "api/query "), n, p50, most, cpu, read, kib, mib)
	}
}

// measure asks from several clients at once and returns percentiles in ms; one question beforehand warms up.
func (q question) measure(t *testing.T, clients int) (p50, p99 float64) {
	t.Helper()
	var mu sync.Mutex
	var times []float64
	var wg sync.WaitGroup
	left := make(chan struct{}, *benching.asked)
	for range *benching.asked {
		left <- struct{}{}
	}
	close(left)
	if err := q.ask(t.Context()); err != nil {
		t.Fatalf("%s: %v", q.name, err)
	}
	for range clients {
		wg.Go(func() {
			for range left {
				begun := time.Now()
				if err := q.ask(t.Context()); err != nil {
					t.Errorf("%s: %v", q.name, err)
					return
				}
				mu.Lock()
				times = append(times, time.Since(begun).Seconds()*1000)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	p50, _, _ = percentile(times, 0.5)
	_, _, p99 = percentile(times, 0.99)
	return p50, p99
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}
