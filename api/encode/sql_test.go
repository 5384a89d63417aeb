package encode

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

var update = flag.Bool("update", false, "renew golden files")

var testLicense = uuid.MustParse("11111111-1111-4111-8111-111111111111")

func testRequest() Request {
	return Request{
		License: testLicense, Granularity: schema.Raw, Format: CSV,
		From: time.Date(2026, 11, 22, 10, 15, 30, 250e6, time.UTC), To: time.Date(2026, 11, 23, 0, 0, 0, 1e6, time.UTC),
	}
}

func TestGoldenSQL(t *testing.T) {
	templates, err := parseTemplates()
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, change func(*Request)) {
		t.Helper()
		r := testRequest()
		change(&r)
		s, err := buildStatement(templates, r)
		if err != nil {
			t.Fatal(err)
		}
		got := s.text
		for _, key := range slices.Sorted(keys(s.params)) {
			got += "-- " + key + " = " + s.params[key] + "\n"
		}
		checkGolden(t, filepath.Join("testdata", name+".sql"), got)
	}
	servers := []string{"eu-1", `it's\`}
	f("raw_csv", func(*Request) {})
	f("raw_csv_servers", func(r *Request) { r.Servers = servers })
	f("raw_ndjson", func(r *Request) { r.Format = NDJSON })
	f("raw_parquet", func(r *Request) { r.Format = Parquet })
	f("hourly_csv", func(r *Request) { r.Granularity = schema.Hourly })
	f("hourly_parquet_servers", func(r *Request) {
		r.Granularity, r.Format, r.Servers = schema.Hourly, Parquet, servers
	})
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// The hours are exported whole: every column of the view but the license, in its order.
func TestHourlyColumnsAreTheViews(t *testing.T) {
	conn := schematest.ClickHouse(t)
	rows, err := conn.Query(t.Context(),
		"SELECT name FROM system.columns WHERE database = 'corrosion' AND table = 'hourly' ORDER BY position")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var want []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if name != "license_id" {
			want = append(want, name)
		}
	}
	text, err := sqlFiles.ReadFile("sql/hourly.sql")
	if err != nil {
		t.Fatal(err)
	}
	list, _, _ := strings.Cut(strings.TrimPrefix(string(text), "SELECT"), "FROM")
	got := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestFilename(t *testing.T) {
	f := func(granularity schema.Resolution, format Format, want string) {
		t.Helper()
		r := testRequest()
		r.Granularity, r.Format = granularity, format
		if got := r.Filename(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(schema.Raw, CSV, "corrosion-11111111-1111-4111-8111-111111111111-raw-20261122T101530Z-20261123T000000Z.csv")
	f(schema.Hourly, Parquet, "corrosion-11111111-1111-4111-8111-111111111111-hourly-20261122T100000Z-20261123T010000Z.parquet")
}

func TestRequestRefused(t *testing.T) {
	f := func(name string, change func(*Request)) {
		t.Helper()
		r := testRequest()
		change(&r)
		if r.validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f("no license", func(r *Request) { r.License = uuid.Nil })
	f("empty range", func(r *Request) { r.To = r.From })
	f("granularity", func(r *Request) { r.Granularity = schema.Mixed })
	f("format", func(r *Request) { r.Format = "xml" })
	f("coding around Parquet", func(r *Request) { r.Format, r.Encoding = Parquet, Gzip })
}
