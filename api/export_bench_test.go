package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema/schematest"
)

// The memory of the process stays flat however long the file is.
func TestExportMemoryIsFlat(t *testing.T) {
	if os.Getenv("CORROSION_LONG") == "" {
		t.Skip("set CORROSION_LONG=1: exports 200 MB and watches the heap")
	}
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	manySamples(t, conn, license, 50, 1_500_000)
	response := h.startExport(t, license, "range=6d", "identity")
	defer response.Body.Close()
	var most uint64
	for {
		_, err := io.CopyN(io.Discard, response.Body, 8<<20)
		most = max(most, heapInUse())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("at most %d MiB of heap in use, %s rows", most>>20, response.Trailer.Get("X-Row-Count"))
	if most > 64<<20 {
		t.Errorf("%d MiB of heap in use", most>>20)
	}
}

// The engine's own rate and ours, turn by turn in one run: 1.5 M samples of 50 servers.
//
//	go test -run xxx -bench Export -benchtime 8x ./api
func BenchmarkExport(b *testing.B) {
	const rows = 1_500_000
	conn, h := schematest.ClickHouse(b), open(b, clickHouseHTTP(b), nil)
	license := h.newLicense()
	manySamples(b, conn, license, 50, rows)
	f := func(format, engineFormat, coding string) {
		b.Run(strings.TrimSuffix(format+"-"+coding, "-identity"), func(b *testing.B) {
			var engine, ours time.Duration
			for b.Loop() {
				start := time.Now()
				drain(b, engineExport(b, clickHouseHTTP(b), license, engineFormat, coding)) //nolint:bodyclose // drain does
				middle := time.Now()
				drain(b, h.startExport(b, license, "range=6d&format="+format, coding)) //nolint:bodyclose // drain does
				engine += middle.Sub(start)
				ours += time.Since(middle)
			}
			b.ReportMetric(rows*float64(b.N)/engine.Seconds(), "engine-rows/s")
			b.ReportMetric(rows*float64(b.N)/ours.Seconds(), "api-rows/s")
			b.ReportMetric(100*engine.Seconds()/ours.Seconds(), "%-of-engine")
			b.ReportMetric(0, "ns/op")
		})
	}
	f("csv", "CSVWithNames", "identity")
	f("csv", "CSVWithNames", "gzip")
	f("csv", "CSVWithNames", "zstd")
	f("ndjson", "JSONEachRow", "identity")
	f("parquet", "Parquet", "identity")
}

// engineExport asks ClickHouse itself, as an operator with curl would, for the same columns in the same order.
func engineExport(b testing.TB, url string, license uuid.UUID, format, coding string) *http.Response {
	b.Helper()
	query := fmt.Sprintf(`SELECT ts, server_id, n, boot, players, max_players, queued, joining, sleepers, fps, frame_ms, entities, memory_mb,
		cpu_percent, net_in, net_out, uptime_s, map, version, metrics FROM corrosion.samples WHERE license_id = '%s'
		ORDER BY server_id, ts, seq, idx FORMAT %s`, license, format)
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost,
		url+"&enable_http_compression=1&http_zlib_compression_level=1", strings.NewReader(query))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", coding)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	return response
}

func drain(b testing.TB, response *http.Response) int64 {
	b.Helper()
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		b.Fatalf("%s: %s", response.Status, text)
	}
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
