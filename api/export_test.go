package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"corrosion/api/auth"
	"corrosion/schema"
	"corrosion/schema/connect/stores"
	"corrosion/schema/schematest"
)

// exportBase is in the recent past, so that the retention of the table leaves the rows alone.
var exportBase = time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour)

// awkwardSamples are few rows with everything that a file can get wrong, in the order of an export.
func awkwardSamples(license uuid.UUID) []schema.Sample {
	texts := []string{
		"Procedural Map", `say "hi", ok`, "line\r\nbreak", "line\nfeed", "}\"\r\n", "=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=x", "", "naïve ☃",
	}
	var samples []schema.Sample
	for i, text := range texts {
		s := schema.Sample{
			License: license, ServerID: "a", TS: exportBase.Add(time.Duration(i)*time.Second + 7*time.Millisecond).UnixMilli(),
			ReceivedAt: exportBase.UnixMilli(), Epoch: 1, Seq: uint64(i),
		}
		s.SetText(schema.Map, text)
		s.SetText(schema.Version, "-"+strconv.Itoa(i))
		s.SetText(schema.Boot, "=b")
		s.SetUint(schema.N, math.MaxUint64)
		s.SetUint(schema.NetIn, 1<<63)
		s.SetFloat(schema.FPS, 59.94)
		s.Metrics = []schema.Metric{{Name: "hook/time", Value: 1.5}, {Name: "zero", Value: 0}}
		samples = append(samples, s)
	}
	// Nothing measured at all; and two rows of one instant, told apart by seq and idx.
	empty := schema.Sample{License: license, ServerID: "b", TS: exportBase.UnixMilli(), ReceivedAt: exportBase.UnixMilli(), Epoch: 1, Seq: 3}
	first, second := empty, empty
	first.Seq, second.Seq, second.Idx = 4, 4, 1
	first.SetUint(schema.Players, 1)
	second.SetUint(schema.Players, 2)
	return append(samples, empty, first, second)
}

func exportURL(extra string) string {
	from := exportBase.Add(-time.Hour).Format(time.RFC3339)
	to := exportBase.Add(2 * time.Hour).Format(time.RFC3339)
	return "/api/analytics/export?from=" + from + "&to=" + to + extra
}

// exported is an export read to its end, its rows counted by the trailer.
func (h *harness) exported(t *testing.T, license uuid.UUID, extra string, headers ...string) (answer, uint64) {
	t.Helper()
	a := h.get(t, exportURL(extra), h.token(t, license, auth.Viewer), headers...)
	if a.StatusCode != 200 || a.err != nil {
		t.Fatalf("%s: %d %v %s", extra, a.StatusCode, a.err, a.body)
	}
	rows, err := strconv.ParseUint(a.Trailer.Get("X-Row-Count"), 10, 64)
	if err != nil {
		t.Fatalf("trailer %v", a.Trailer)
	}
	return a, rows
}

func TestExportCSV(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	samples := awkwardSamples(license)
	schematest.InsertSamples(t, conn, samples)
	a, rows := h.exported(t, license, "")
	if rows != uint64(len(samples)) {
		t.Errorf("trailer %d, want %d", rows, len(samples))
	}
	want := "attachment; filename=\"corrosion-" + license.String() + "-raw-"
	if got := a.Header.Get("Content-Disposition"); !strings.HasPrefix(got, want) {
		t.Errorf("disposition %s", got)
	}
	if got := a.Header.Get("Content-Type"); got != "text/csv; charset=utf-8; header=present" {
		t.Errorf("content type %s", got)
	}
	if lone := strings.ReplaceAll(a.body, "\r\n", ""); !strings.HasSuffix(a.body, "\r\n") || strings.Count(lone, "\n") != 1 {
		t.Error("lines do not end with CRLF")
	}
	checkCSV(t, a.body, samples)
}

// checkCSV reads the file as any reader would and compares every cell.
func checkCSV(t *testing.T, body string, samples []schema.Sample) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != len(samples)+1 {
		t.Fatalf("%d records, want %d", len(records), len(samples)+1)
	}
	if !strings.Contains(body, "\"line\r\nbreak\"") {
		t.Error("a line break within a cell was changed")
	}
	wantHeader := []string{"ts", "server_id"}
	for f := range schema.NumFields {
		wantHeader = append(wantHeader, f.String())
	}
	if got := strings.Join(records[0], ","); got != strings.Join(append(wantHeader, "metrics"), ",") {
		t.Errorf("header %s", got)
	}
	for i := range samples {
		cells := csvCells(&samples[i])
		checkMetricsCell(t, records[i+1][len(cells)], &samples[i])
		for j, want := range cells {
			// encoding/csv reads CRLF within a cell as LF.
			if got := records[i+1][j]; got != strings.ReplaceAll(want, "\r\n", "\n") {
				t.Errorf("row %d, %s: got %q, want %q", i, records[0][j], got, want)
			}
		}
	}
}

func csvCells(s *schema.Sample) []string {
	cells := []string{time.UnixMilli(s.TS).UTC().Format("2006-01-02T15:04:05.000Z"), s.ServerID}
	for f := range schema.NumFields {
		cells = append(cells, csvCell(s, f))
	}
	return cells
}

func checkMetricsCell(t *testing.T, cell string, s *schema.Sample) {
	t.Helper()
	var got map[string]float64
	if err := json.Unmarshal([]byte(cell), &got); err != nil {
		t.Fatalf("%s: %v", cell, err)
	}
	want := map[string]float64{}
	for _, m := range s.Metrics {
		want[m.Name] = m.Value
	}
	if !maps.Equal(got, want) || strings.Contains(cell, `\/`) {
		t.Errorf("metrics: got %s, want %v", cell, want)
	}
}

func csvCell(s *schema.Sample, f schema.Field) string {
	switch {
	case !s.Has(f):
		return ""
	case f.Info().Kind == schema.Float:
		return strconv.FormatFloat(s.Float(f), 'f', -1, 64)
	case f.Info().Kind != schema.Text:
		return strconv.FormatUint(s.Uint(f), 10)
	}
	text := s.Text(f)
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

func TestExportNDJSON(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	samples := awkwardSamples(license)
	schematest.InsertSamples(t, conn, samples)
	a, rows := h.exported(t, license, "&format=ndjson")
	lines := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
	if rows != uint64(len(samples)) || len(lines) != len(samples) {
		t.Fatalf("trailer %d, %d lines, want %d", rows, len(lines), len(samples))
	}
	for i, line := range lines {
		checkNDJSON(t, line, &samples[i])
	}
}

func checkNDJSON(t *testing.T, line string, s *schema.Sample) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if got := object["ts"]; got != time.UnixMilli(s.TS).UTC().Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("ts %v", got)
	}
	for f := range schema.NumFields {
		got := object[f.String()]
		switch {
		case !s.Has(f):
			if got != nil {
				t.Errorf("%s: got %v, want null", f, got)
			}
		case f.Info().Kind == schema.Text:
			if got != s.Text(f) {
				t.Errorf("%s: got %q, want %q", f, got, s.Text(f))
			}
		default:
			if fmt.Sprint(got) != csvCell(s, f) {
				t.Errorf("%s: got %v, want %s", f, got, csvCell(s, f))
			}
		}
	}
	metrics := object["metrics"].(map[string]any)
	if len(metrics) != len(s.Metrics) || len(s.Metrics) > 0 && metrics["hook/time"] != json.Number("1.5") {
		t.Errorf("metrics %v", metrics)
	}
}

// The engine itself reads the Parquet file back.
func TestExportParquet(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	samples := awkwardSamples(license)
	schematest.InsertSamples(t, conn, samples)
	a, rows := h.exported(t, license, "&format=parquet", "Accept-Encoding", "gzip")
	if rows != uint64(len(samples)) || a.Header.Get("Content-Encoding") != "" {
		t.Errorf("trailer %d, want %d; coding %s", rows, len(samples), a.Header.Get("Content-Encoding"))
	}
	got := readBack(t, "Parquet", a.body,
		"SELECT count(), max(n), sum(players), countIf(map IS NULL), max(JSONExtractFloat(metrics, 'hook/time')), toString(min(ts)), "+
			"arraySort(groupArray(map)), any(toTypeName(ts)) FROM input('') FORMAT TSV")
	want := readBack(t, "", "", "SELECT count(), max(n), sum(players), countIf(map IS NULL), max(metrics['hook/time']), toString(min(ts)), "+
		"arraySort(groupArray(map)), any('Nullable(DateTime64(3, \\'UTC\\'))') FROM corrosion.samples WHERE license_id = '"+license.String()+"' FORMAT TSV")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// readBack runs a query over HTTP; with a format it reads body by the table function format.
func readBack(t *testing.T, format, body, query string) string {
	t.Helper()
	server, err := stores.ClickHouseHTTP(clickHouseHTTP(t)) // what its URL says of a cluster is not for ClickHouse
	if err != nil {
		t.Fatal(err)
	}
	endpoint := server.Address()
	values := endpoint.Query()
	request := &http.Request{Method: http.MethodPost, Header: http.Header{}}
	if format != "" {
		query = strings.Replace(query, "input('')", "_file", 1)
		buffer, contentType := externalTable(t, format, body)
		values.Set("query", query)
		request.Header.Set("Content-Type", contentType)
		request.Body = io.NopCloser(buffer)
	} else {
		request.Body = io.NopCloser(strings.NewReader(query))
	}
	endpoint.RawQuery = values.Encode()
	request.URL = &endpoint
	if err := server.SignIn(request); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v %s", err, text)
	}
	return string(text)
}

func TestExportEncodings(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	samples := awkwardSamples(license)
	schematest.InsertSamples(t, conn, samples)
	plain, _ := h.exported(t, license, "", "Accept-Encoding", "identity")
	f := func(accept, want string, decode func(io.Reader) (io.Reader, error)) {
		t.Helper()
		a, rows := h.exported(t, license, "", "Accept-Encoding", accept)
		if got := a.Header.Get("Content-Encoding"); got != want || rows != uint64(len(samples)) {
			t.Errorf("%s: coding %q, %d rows", accept, got, rows)
		}
		reader, err := decode(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(reader)
		if err != nil || string(body) != plain.body {
			t.Errorf("%s: %v, %d bytes, want %d", accept, err, len(body), len(plain.body))
		}
	}
	ungzip := func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	unzstd := func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) }
	f("gzip", "gzip", ungzip)
	f("zstd", "zstd", unzstd)
	f("gzip;q=0.1, zstd", "zstd", unzstd)
	f("br", "", func(r io.Reader) (io.Reader, error) { return r, nil })
}

func TestExportHourlyServersAndNothing(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	schematest.InsertSamples(t, conn, awkwardSamples(license))
	a, rows := h.exported(t, license, "&granularity=hourly")
	if rows != 2 || !strings.HasPrefix(a.body, `"server_id","hour","samples","players_avg"`) {
		t.Errorf("%d rows: %s", rows, a.body)
	}
	if want := `"a","` + exportBase.Format(time.RFC3339) + `",14,`; !strings.Contains(a.body, want) {
		t.Errorf("%s is not in %s", want, a.body)
	}
	for _, c := range []struct {
		extra string
		want  uint64
	}{
		{"&server_id=b", 3}, {"&server_id=a&server_id=b", 17}, {"&server_id=nobody", 0}, {"&server_id=nobody&format=ndjson", 0},
		{"&server_id=nobody&format=parquet", 0}, {"&server_id=nobody&granularity=hourly", 0}, {"&server_id=b&granularity=hourly&format=ndjson", 1},
		{"&server_id=b&granularity=hourly&format=parquet", 1},
	} {
		if _, rows := h.exported(t, license, c.extra); rows != c.want {
			t.Errorf("%s: %d rows, want %d", c.extra, rows, c.want)
		}
	}
}
