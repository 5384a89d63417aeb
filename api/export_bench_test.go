package api

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

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
		if err == io.EOF {
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

// The engine's own rate and ours, in one run: rows/s of 1.5 M samples of 50 servers.
//
//	go test -run xxx -bench Export -benchtime 3x ./api
func BenchmarkExport(b *testing.B) {
	const rows = 1_500_000
	conn, h := schematest.ClickHouse(b), open(b, clickHouseHTTP(b), nil)
	license := h.newLicense()
	manySamples(b, conn, license, 50, rows)
	f := func(name string, request func() *http.Response) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := drain(b, request())
				b.SetBytes(n)
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	for _, format := range []struct{ ours, engine, columns string }{
		{"csv", "CSVWithNames", ""}, {"ndjson", "JSONEachRow", ""}, {"parquet", "Parquet", ""},
	} {
		f("engine/"+format.ours, func() *http.Response { return engineExport(b, license, format.engine, "identity") })
		f("api/"+format.ours, func() *http.Response { return h.startExport(b, license, "range=6d&format="+format.ours, "identity") })
	}
	for _, coding := range []string{"gzip", "zstd"} {
		f("engine/csv-"+coding, func() *http.Response { return engineExport(b, license, "CSVWithNames", coding) })
		f("api/csv-"+coding, func() *http.Response { return h.startExport(b, license, "range=6d", coding) })
	}
}

// engineExport asks ClickHouse itself, as an operator with curl would, for the same columns in the same order.
func engineExport(b *testing.B, license uuid.UUID, format, coding string) *http.Response {
	b.Helper()
	query := fmt.Sprintf(`SELECT ts, server_id, n, boot, players, max_players, queued, joining, sleepers, fps, frame_ms, entities, memory_mb,
		cpu_percent, net_in, net_out, uptime_s, map, version, metrics FROM corrosion.samples WHERE license_id = '%s'
		ORDER BY server_id, ts, seq, idx FORMAT %s`, license, format)
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost,
		clickHouseHTTP(b)+"&enable_http_compression=1&http_zlib_compression_level=1", strings.NewReader(query))
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

func drain(b *testing.B, response *http.Response) int64 {
	b.Helper()
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("%s after %d bytes: %v", response.Status, n, err)
	}
	return n
}
