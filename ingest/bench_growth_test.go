package ingest

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pause"
)

var growth = struct {
	rows   *int
	settle *time.Duration
	data   *string
	fill   *time.Duration
}{
	rows:   flag.Int("bench.rows", 100_000_000, "`rows` that stand in the full table of TestBenchGrowth"),
	settle: flag.Duration("bench.settle", 3*time.Minute, "how long TestBenchGrowth waits at most for the merges of the full table"),
	data:   flag.String("bench.data", "", "`directory` that keeps the full table of TestBenchGrowth for another run; absent: nothing is kept"),
	fill:   flag.Duration("bench.fill", time.Hour, "how long TestBenchGrowth fills at most; what is left needs another run on the same -bench.data"),
}

// TestBenchGrowth drains the same backlog into an empty table and into one that is full, in turns, on two ClickHouses.
//
//	go test ./ingest -run TestBenchGrowth -v -timeout 60m -args -bench.growth
//
// In pieces: -bench.data DIR -bench.fill 3m until it says that the table is full, and then goes on to drain.
func TestBenchGrowth(t *testing.T) {
	if !*benching.growth {
		t.Skip("a benchmark: -bench.growth")
	}
	empty := newBenchServers(t)
	full := &benchServers{nats: empty.nats}
	var options []localtest.ClickHouseOption
	if *growth.data != "" {
		options = append(options, localtest.WithClickHouseDir(*growth.data))
	}
	full.clickhouse, full.conn = newBenchClickHouse(t, options...)
	if !fillTable(t, full.conn, *growth.rows) {
		return
	}
	untilMerged(t, full.conn)

	table := "| rows before | a message | drain/s, empty | drain/s, full | of empty | start s, empty | start s, full |\n|---|---|---|---|---|---|---|\n"
	for _, c := range []struct{ samples, per int }{{*benching.single, 1}, {*benching.batched, 100}} {
		if c.samples > 0 {
			table += drainBoth(t, empty, full, c.samples, c.per)
		}
	}
	fmt.Printf("\n%s", table)
}

// drainBoth drains into both in turns and gives the row of the medians.
func drainBoth(t *testing.T, empty, full *benchServers, samples, per int) string {
	var into [2][]measured
	rate := func(m measured) float64 { return float64(samples) / m.Seconds }
	for n := range *benching.rounds {
		empty.clear(t)
		for i, s := range []*benchServers{empty, full} {
			into[i] = append(into[i], s.drainAs(t, samples/per, per, fmt.Sprintf("-%d-%d", time.Now().Unix(), n)))
		}
		fmt.Printf("%d a message: empty %.0f/s, full %.0f/s; load %s\n", per, rate(into[0][n]), rate(into[1][n]), loadAverage())
	}
	starts := func(m measured) float64 { return m.Start }
	e, f := median(into[0], rate), median(into[1], rate)
	return fmt.Sprintf("| %d | %d | %.0f | %.0f | %.0f %% | %.2f | %.2f |\n", *growth.rows, per, e, f, 100*f/e, median(into[0], starts), median(into[1], starts))
}

// drainAs drains samples whose boots end in boot: a full table has those of earlier rounds, which these must not repeat.
func (s *benchServers) drainAs(t *testing.T, messages, per int, boot string) measured {
	j := job{Do: "drain", NATS: s.nats.URL(), ClickHouse: s.clickhouse.URL(), Messages: messages, Per: per}
	source := newTraffic(per, 0)
	for i := range source.boots {
		source.boots[i] += boot
	}
	publishBacklog(t, j.NATS, benchConfig(j), source, messages)
	_, result := startWorker(t, j)
	return result()
}

// fillTable stores rows as 10,000 servers of the benchmarks' licenses would have sent them over the day of the backlog,
// hour by hour and in it server by server. The views stay on: rows that come so make few rows of the hours. Hours that an
// earlier run filled stay as they are; false where the time was not enough.
func fillTable(t *testing.T, conn driver.Conn, rows int) (full bool) {
	t.Helper()
	begun := time.Now()
	perHour := max(rows/24, 1)
	for hour := range 24 {
		from, count := hour*perHour, perHour
		if hour == 23 {
			count = rows - from
		}
		var there uint64
		if err := conn.QueryRow(t.Context(), "SELECT count() FROM corrosion.samples WHERE epoch = 1 AND seq >= ? AND seq < ?", from, from+count).Scan(&there); err != nil {
			t.Fatal(err)
		}
		switch {
		case there == uint64(count):
			continue
		case there > 0:
			t.Fatalf("%d of the %d rows of hour %d are there: remove the directory of -bench.data", there, count, hour)
		case time.Since(begun) > *growth.fill:
			fmt.Printf("%d of 24 hours are filled; run again on the same -bench.data\n", hour)
			return false
		}
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_insert_threads": 2, "max_execution_time": 0}))
		if err := conn.Exec(ctx, fillHour(hour, from, count, perHour)); err != nil {
			t.Fatal(err)
		}
		if hour%4 == 3 {
			fmt.Printf("filled %d of %d rows in %s; load %s\n", from+count, rows, time.Since(begun).Round(time.Second), loadAverage())
		}
	}
	return true
}

// fillHour is the INSERT of one hour. Its rows have an incarnation of their own.
func fillHour(hour, from, count, perHour int) string {
	traffic := newTraffic(1, 0)
	var licenses []string
	for m := range trafficLicenses {
		licenses = append(licenses, "toUUID('"+traffic.license(m).String()+"')")
	}
	const servers = 10_000
	values := map[string]string{
		"license_id": "[" + strings.Join(licenses, ", ") + "][server % 8 + 1]", "server_id": "concat('old-', toString(server))",
		"ts": "at", "n": "toUInt64(k)", "boot": "concat('boot-', toString(server))",
		"players": "toUInt32(h % 200)", "max_players": "toUInt32(200)", "queued": "toUInt32(h % 4)", "joining": "toUInt32(h % 3)",
		"sleepers": "toUInt32(400 + k % 100)", "fps": "50 + (h % 1000) / 100", "frame_ms": "round(1000 / (50 + (h % 1000) / 100), 2)",
		"entities": "toUInt32(180000 + k % 5000)", "memory_mb": "9000 + (h % 4096) / 10", "cpu_percent": "(h % 1000) / 10",
		"net_in": "toUInt64(150000 + h % 65536)", "net_out": "toUInt64(900000 + h % 262144)", "uptime_s": "toUInt32(k % 86400)",
		"map": "'Procedural Map'", "version": "'2587.240.1'", "metrics": "map()", "epoch": "toUInt64(1)", "seq": "toUInt64(k)",
		"idx": "toUInt16(0)", "received_at": "at",
	}
	var names, columns []string
	for _, c := range schema.SampleColumns() {
		names = append(names, c.Name)
		columns = append(columns, values[c.Name])
	}
	start := traffic.base + int64(hour)*time.Hour.Milliseconds()
	each := max(perHour/servers, 1) // rows of one server in the hour
	return fmt.Sprintf("INSERT INTO %s (%s) WITH number AS k, intHash64(k) AS h, intDiv(k - %d, %d) %% %d AS server,"+
		" fromUnixTimestamp64Milli(toInt64(%d + intDiv((k - %d) %% %d * 3600000, %d)), 'UTC') AS at SELECT %s FROM numbers(%d, %d)",
		schema.SamplesTable, strings.Join(names, ", "), from, each, servers, start, from, each, each, strings.Join(columns, ", "), from, count)
}

// untilMerged waits until the server merges nothing any more.
func untilMerged(t *testing.T, conn driver.Conn) {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), *growth.settle)
	defer cancel()
	var merges, parts uint64
	for quiet := 0; quiet < 5 && pause.For(ctx, time.Second); quiet++ {
		err := conn.QueryRow(t.Context(), "SELECT (SELECT count() FROM system.merges), (SELECT count() FROM system.parts WHERE active AND table = 'samples')").Scan(&merges, &parts)
		if err != nil {
			t.Fatal(err)
		}
		if merges > 0 {
			quiet = -1
		}
	}
	fmt.Printf("%d parts, %d merges after %s\n", parts, merges, time.Since(begun).Round(time.Second))
}
