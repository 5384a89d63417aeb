package ingest_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/deploy/local/localtest"
	"corrosion/ingest/publish"
	"corrosion/ingest/replay"
	"corrosion/ingest/simulate"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// BenchmarkCodecs measures what a stored sample costs on disk, with the codecs of the schema and with others:
//
//	go test ./ingest -run '^$' -bench Codecs -benchtime 1x
//
// Rows are 50 simulated servers over a day at 10 s, and where the recorded data is at hand, its per-minute pods.
func BenchmarkCodecs(b *testing.B) {
	b.Run("simulated", func(b *testing.B) { benchCodecs(b, simulatedDay(b)) })
	b.Run("recorded", func(b *testing.B) { benchCodecs(b, recordedPods(b)) })
}

func benchCodecs(b *testing.B, samples []schema.Sample) {
	server := localtest.NewClickHouse(b)
	if _, err := schema.MigrateClickHouse(b.Context(), server.URL()); err != nil {
		b.Fatal(err)
	}
	conn := schematest.Connect(b, server.URL())
	exec(b, conn, "ALTER TABLE corrosion.samples MODIFY SETTING min_bytes_for_wide_part = 0") // sizes per column
	for chunk := range slices.Chunk(samples, 100_000) {
		schematest.InsertSamples(b, conn, chunk)
	}
	optimize(b, conn, "samples")
	n := float64(len(samples))
	fields := schema.MetricFields()
	total, measured := 0.0, 0.0
	for _, column := range schema.SampleColumns() {
		size := columnBytes(b, conn, "samples", column.Name)
		total += size
		if f, ok := schema.FieldByName(column.Name); ok && slices.Contains(fields, f) {
			measured += size
		}
	}
	for b.Loop() { // the figure is the size, not the time
		continue
	}
	b.ReportMetric(total/n, "bytes/sample")
	b.ReportMetric(measured/n, "bytes/13-fields")
	b.ReportMetric(0, "ns/op")
	fmt.Println(codecTable(b, conn, n)) // b.Log would cut it
}

// codecTable compares codecs column by column.
func codecTable(b *testing.B, conn driver.Conn, n float64) string {
	var out strings.Builder
	for _, column := range schema.SampleColumns() {
		fmt.Fprintf(&out, "\n%-12s schema %6.3f", column.Name, columnBytes(b, conn, "samples", column.Name)/n)
		for _, codec := range candidates(column.Type) {
			exec(b, conn, "DROP TABLE IF EXISTS corrosion.candidate SYNC")
			exec(b, conn, fmt.Sprintf("CREATE TABLE corrosion.candidate (license_id UUID, server_id LowCardinality(String), ts DateTime64(3), v %s CODEC(%s)) "+
				"ENGINE = MergeTree ORDER BY (license_id, server_id, ts) SETTINGS min_bytes_for_wide_part = 0, allow_nullable_key = 1", column.Type, codec))
			exec(b, conn, "INSERT INTO corrosion.candidate SELECT license_id, server_id, ts, "+column.Name+" FROM corrosion.samples")
			optimize(b, conn, "candidate")
			fmt.Fprintf(&out, " | %s %.3f", codec, columnBytes(b, conn, "candidate", "v")/n)
		}
	}
	return out.String()
}

func candidates(columnType string) []string {
	switch {
	case strings.Contains(columnType, "Float64") && !strings.Contains(columnType, "Map"):
		return []string{"ZSTD(1)", "ZSTD(3)", "Gorilla, ZSTD(1)", "FPC, ZSTD(1)", "Delta, ZSTD(1)"}
	case strings.Contains(columnType, "UInt"), strings.Contains(columnType, "DateTime"):
		return []string{"ZSTD(1)", "ZSTD(3)", "T64, ZSTD(1)", "Delta, ZSTD(1)", "DoubleDelta, ZSTD(1)"}
	default:
		return []string{"ZSTD(1)", "ZSTD(3)", "LZ4"}
	}
}

func columnBytes(b *testing.B, conn driver.Conn, table, column string) float64 {
	var size uint64
	if err := conn.QueryRow(b.Context(), "SELECT sum(column_data_compressed_bytes) FROM system.parts_columns WHERE active AND database = 'corrosion' AND table = ? AND column = ?", table, column).Scan(&size); err != nil {
		b.Fatal(err)
	}
	return float64(size)
}

func optimize(b *testing.B, conn driver.Conn, table string) {
	exec(b, conn, "OPTIMIZE TABLE corrosion."+table+" FINAL")
}

func exec(b *testing.B, conn driver.Conn, statement string) {
	b.Helper()
	if err := conn.Exec(b.Context(), statement); err != nil {
		b.Fatal(err)
	}
}

func simulatedDay(b *testing.B) []schema.Sample {
	network, err := simulate.NewNetwork(1, 50, simulate.Every(10*time.Second))
	if err != nil {
		b.Fatal(err)
	}
	to := time.Now().Truncate(time.Hour)
	var keep keeper
	if err := network.Backfill(b.Context(), to.Add(-24*time.Hour), to, func(s *schema.Sample) error { return keep.Add(b.Context(), s) }); err != nil {
		b.Fatal(err)
	}
	return keep.samples
}

func recordedPods(b *testing.B) []schema.Sample {
	const file = "../../shared/data/01_nezha_onlineboutique_pods.csv.gz"
	if _, err := os.Stat(file); err != nil {
		b.Skip("the recorded data is not on this machine")
	}
	var keep keeper
	_, err := replay.Run(b.Context(), replay.Options{Files: []string{file}, AlignNow: true, Publisher: &keep,
		Maps: []string{"memory_mib=memory_mb", "net_in_bytes_s=net_in|round", "net_out_bytes_s=net_out|round", "server_latency_p90_s=frame_ms*1000"}})
	if err != nil {
		b.Fatal(err)
	}
	return keep.samples
}

// keeper is a publisher that keeps what it is given.
type keeper struct{ samples []schema.Sample }

func (k *keeper) Add(_ context.Context, s *schema.Sample) error {
	kept := *s
	kept.Metrics = slices.Clone(s.Metrics)
	kept.Epoch, kept.Seq, kept.ReceivedAt = 1, uint64(len(k.samples)), s.TS
	k.samples = append(k.samples, kept)
	return nil
}

func (k *keeper) Flush(context.Context) (publish.Counts, error) { return k.Counts(), nil }

func (k *keeper) Counts() publish.Counts {
	n := uint64(len(k.samples))
	return publish.Counts{Sent: n, Acked: n}
}
