package ingest

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

var (
	benchShards  = flag.Bool("bench.shards", false, "run TestBenchShards")
	shardBatches = flag.Int("bench.batches", 20, "batches of 100,000 rows that TestBenchShards inserts")
)

// shardQueries are what is asked of a license with 1,000 servers: {license} stands for it.
func shardQueries() map[string]string {
	return map[string]string{
		"raw: one-minute totals": "SELECT count(), max(total) FROM (SELECT minute, sum(m) AS total FROM (SELECT server_id, toStartOfMinute(ts) AS minute, avg(players) AS m" +
			" FROM corrosion.samples WHERE license_id = ? GROUP BY server_id, minute) GROUP BY minute)",
		"hours: mean and p95":  "SELECT count(), max(p) FROM (SELECT hour, quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch)[3] AS p FROM corrosion.samples_hourly WHERE license_id = ? GROUP BY hour)",
		"one server, raw":      "SELECT count(), max(players) FROM corrosion.samples WHERE license_id = ? AND server_id = 'server-7'",
		"minutes of a license": "SELECT count(), max(n) FROM (SELECT minute, sum(samples) AS n FROM corrosion.license_minutely WHERE license_id = ? GROUP BY minute)",
	}
}

// TestBenchShards inserts the same rows into one server and into two shards on this machine, and asks the same of both.
//
//	go test ./ingest -run TestBenchShards -v -timeout 30m -args -bench.shards
func TestBenchShards(t *testing.T) {
	if !*benchShards {
		t.Skip("a benchmark: -bench.shards")
	}
	var tables [2][]string
	for i := range tables {
		tables[i] = benchOn(t, i+1)
	}
	fmt.Printf("\n| | one server | two shards |\n|---|---|---|\n")
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range shardQueries() {
			if !yield(name) {
				return
			}
		}
	})
	for i, name := range append([]string{"insert, rows/s"}, names...) {
		fmt.Printf("| %s | %s | %s |\n", name, tables[0][i], tables[1][i])
	}
	fmt.Printf("\nload %s\n", loadAverage())
}

// benchOn gives the figures of so many shards: rows/s, then each query's milliseconds in the order of their names.
func benchOn(t *testing.T, shards int) (figures []string) {
	t.Helper()
	url := localtest.NewClickHouse(t).URL()
	if shards > 1 {
		url = localtest.NewClickHouseCluster(t, shards).URL()
	}
	if _, err := schema.MigrateClickHouse(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.ClickHouseURL = url
	into, err := newStore(c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer into.close()
	const rows = 100_000
	license, start := uuid.New(), time.Now().Add(-24*time.Hour).UnixMilli()
	took := time.Duration(0)
	for n := range *shardBatches {
		b := newBatch()
		b.id = uuid.NewString()
		for i := range rows {
			s := testSample(i)
			s.License, s.ServerID, s.TS = license, fmt.Sprintf("server-%d", i%1000), start+int64(n*rows+i)*40
			b.Append(&s)
		}
		b.receipts = append(b.receipts, receipt{epoch: 9, seq: uint64(n + 1), rows: rows})
		begun := time.Now()
		if err := into.insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		took += time.Since(begun)
	}
	figures = []string{fmt.Sprintf("%.0f", float64(rows**shardBatches)/took.Seconds())}
	return append(figures, queryTimes(t, schematest.Connect(t, url), license)...)
}

// queryTimes are medians of nine, ms.
func queryTimes(t *testing.T, conn driver.Conn, license uuid.UUID) (times []string) {
	t.Helper()
	var names []string
	for name := range shardQueries() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var each []time.Duration
		for range 9 {
			begun := time.Now()
			rows, err := conn.Query(t.Context(), shardQueries()[name], license)
			if err != nil {
				t.Fatal(name, err)
			}
			for rows.Next() {
			}
			if err := rows.Close(); err != nil {
				t.Fatal(name, err)
			}
			each = append(each, time.Since(begun))
		}
		slices.Sort(each)
		times = append(times, fmt.Sprintf("%.1f", float64(each[4].Microseconds())/1000))
	}
	return times
}
