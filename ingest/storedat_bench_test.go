package ingest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// BenchmarkStoredAt measures what stored_at costs: bytes a sample by unit and codec, as batches of a length would store a
// day of 50 servers at 10 s, and the time of an INSERT with and without it, in turns:
//
//	go test ./ingest -run '^$' -bench StoredAt -benchtime 1x
func BenchmarkStoredAt(b *testing.B) {
	server := localtest.NewClickHouse(b)
	if _, err := schema.MigrateClickHouse(b.Context(), server.URL()); err != nil {
		b.Fatal(err)
	}
	conn := schematest.Connect(b, server.URL())
	for _, batch := range []int{50, 250, 1000} {
		for unit, column := range []string{"DateTime('UTC')", "DateTime64(1, 'UTC')", "DateTime64(2, 'UTC')", "DateTime64(3, 'UTC')"} {
			for _, codec := range []string{"Delta, ZSTD(1)", "DoubleDelta, ZSTD(1)", "T64, ZSTD(1)"} {
				fmt.Printf("batches of %d ms, 10^-%d s, %s: %.3f bytes\n", batch, unit, codec, storedAtBytes(b, conn, column, codec, batch))
			}
		}
	}
	with, without := insertTimes(b, conn)
	fmt.Printf("INSERT of 1 M rows: %.2f s with stored_at, %.2f s without\n", with.Seconds(), without.Seconds())
	for b.Loop() { // the figures are above
		continue
	}
}

func storedAtBytes(b *testing.B, conn driver.Conn, column, codec string, batch int) float64 {
	const rows = 432_000
	exec(b, conn, "DROP TABLE IF EXISTS corrosion.candidate SYNC")
	exec(b, conn, "CREATE TABLE corrosion.candidate (s UInt32, ts DateTime64(3, 'UTC'), v "+column+" CODEC("+codec+")) "+
		"ENGINE = MergeTree ORDER BY (s, ts) SETTINGS min_bytes_for_wide_part = 0")
	// Each server publishes at an offset of its own, give or take 30 ms; batches take up to half their length to store.
	exec(b, conn, fmt.Sprintf(`INSERT INTO corrosion.candidate WITH toDateTime64('2026-11-20 00:00:00', 3, 'UTC') AS day, intDiv(m + 40, %d) AS batch
		SELECT s, day + toIntervalMillisecond(m), day + toIntervalMillisecond((batch + 1) * %d + sipHash64(batch) %% %d + 15)
		FROM (SELECT number %% 50 AS s, intDiv(number, 50) * 10000 + sipHash64(s) %% 10000 + rand() %% 30 AS m FROM numbers(%d))`,
		batch, batch, batch/2, rows))
	optimize(b, conn, "candidate")
	return columnBytes(b, conn, "candidate", "v") / rows
}

// insertTimes are the best of five each.
func insertTimes(b *testing.B, conn driver.Conn) (with, without time.Duration) {
	exec(b, conn, "CREATE TABLE corrosion.stored AS corrosion.samples")
	exec(b, conn, "CREATE TABLE corrosion.unstored AS corrosion.samples")
	exec(b, conn, "ALTER TABLE corrosion.unstored DROP COLUMN stored_at")
	insert := func(table string) time.Duration {
		begun := time.Now()
		exec(b, conn, "INSERT INTO corrosion."+table+` (license_id, server_id, ts, players, fps, frame_ms, memory_mb, net_in, seq, received_at)
			SELECT generateUUIDv4(1), concat('s', toString(number % 1000)), now64(3) - toIntervalSecond(intDiv(number, 1000) * 10), rand() % 200,
			rand(1) / 1e8, rand(2) / 1e8, rand(3) / 1e6, rand(4), number, now64(3) FROM numbers(1000000)`)
		return time.Since(begun)
	}
	for round := range 5 {
		w, o := insert("stored"), insert("unstored")
		if round == 0 || w < with {
			with = w
		}
		if round == 0 || o < without {
			without = o
		}
	}
	return with, without
}
