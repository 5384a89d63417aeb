package encode

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
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
	at := func(s string) time.Time { return must(time.Parse(time.RFC3339Nano, s)) }
	f("raw_csv_before", func(r *Request) { r.StoredBefore = at("2026-11-23T00:00:00.3Z") })
	f("raw_csv_since", func(r *Request) {
		r.From, r.To, r.StoredSince, r.StoredBefore = time.Time{}, time.Time{}, at("2026-11-22T00:00:00.1Z"), at("2026-11-23T00:00:00.3Z")
	})
	f("raw_csv_since_ahead_day", func(r *Request) {
		r.StoredSince, r.StoredBefore, r.Ahead = at("2026-11-22T00:00:00.1Z"), at("2026-11-23T00:00:00.3Z"), at("2026-11-22T00:00:00.123Z")
	})
	f("raw_ndjson", func(r *Request) { r.Format = NDJSON })
	f("raw_parquet", func(r *Request) { r.Format = Parquet })
	f("hourly_csv", func(r *Request) { r.Granularity = schema.Hourly })
	f("hourly_parquet_servers", func(r *Request) {
		r.Granularity, r.Format, r.Servers = schema.Hourly, Parquet, servers
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
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
	_, list, _ := strings.Cut(string(text), "\nSELECT")
	list, _, _ = strings.Cut(list, "\nFROM")
	list = strings.Replace(list, "toUInt64(greatest(boot_changes, start_changes)) AS restarts", "restarts", 1)
	got := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The export's rows are those of the view, whatever lies before the range: hours next to it, hours long before it, nothing.
func TestHourlyRowsAreTheViews(t *testing.T) {
	conn := schematest.ClickHouse(t)
	license := uuid.New()
	from := schema.FloorHour(time.Now()).Add(-10 * time.Hour)
	var samples []schema.Sample
	publish := func(server, boot string, hour int, uptime uint64) {
		s := schema.Sample{License: license, ServerID: server, TS: from.Add(time.Duration(hour)*time.Hour + 7*time.Minute).UnixMilli(), Seq: uint64(len(samples)), ReceivedAt: time.Now().UnixMilli()}
		s.SetText(schema.Boot, boot)
		s.SetUint(schema.UptimeS, uptime)
		s.SetFloat(schema.FPS, 40+float64(len(samples)))
		samples = append(samples, s)
	}
	for hour, boot := range []string{"a", "a", "b", "b", "c"} { // restarts at the first hour of the range and in it
		publish("next", boot, hour-2, []uint64{1000, 4600, 100, 3700, 5}[hour])
	}
	publish("silent", "a", -100, 50)
	publish("silent", "b", 1, 60)
	publish("same", "a", -50, 1000)
	publish("same", "a", 2, 1000+52*3600)
	publish("new", "a", 0, 10)
	publish("gone", "a", -1, 10)
	schematest.InsertSamples(t, conn, samples)

	templates, err := parseTemplates()
	if err != nil {
		t.Fatal(err)
	}
	rows := func(query string, servers []string) (list []string) {
		t.Helper()
		err := conn.QueryRow(t.Context(), "SELECT groupArray(toString(tuple(*))) FROM ("+query+")", clickhouse.Named("license", license.String()),
			clickhouse.Named("from", from.Unix()), clickhouse.Named("to", from.Add(5*time.Hour).Unix()), clickhouse.Named("servers", servers)).Scan(&list)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for _, servers := range [][]string{nil, {"silent", "next"}} {
		s, err := buildStatement(templates, Request{License: license, Granularity: schema.Hourly, Format: CSV, From: from, To: from.Add(5 * time.Hour), Servers: servers})
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(s.text, "FORMAT")
		view := "SELECT * EXCEPT license_id FROM corrosion.hourly WHERE license_id = {license:UUID} AND hour >= {from:DateTime('UTC')} AND hour < {to:DateTime('UTC')}"
		if servers != nil {
			view += " AND server_id IN {servers:Array(String)}"
		}
		got, want := rows(text, servers), rows(view+" ORDER BY server_id, hour", servers)
		if !slices.Equal(got, want) || len(want) < 4 {
			t.Errorf("%v:\n got %s\nwant %s", servers, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
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

func TestFilenameOfWhatWasStored(t *testing.T) {
	r := testRequest()
	r.StoredSince, r.StoredBefore = r.From, r.To
	r.From, r.To = time.Time{}, time.Time{}
	const want = "corrosion-11111111-1111-4111-8111-111111111111-raw-stored-20261122T101530Z-20261123T000000Z.csv"
	if got := r.Filename(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The plan's questions, for they are SQL too.
func TestGoldenPlans(t *testing.T) {
	templates, err := parseTemplates()
	if err != nil {
		t.Fatal(err)
	}
	for _, granularity := range []schema.Resolution{schema.Raw, schema.Hourly} {
		r := testRequest()
		r.Granularity, r.Servers = granularity, []string{"eu-1"}
		s, err := buildPlan(templates, r)
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, filepath.Join("testdata", "plan_"+string(granularity)+".sql"), s.text)
	}
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
	f("no bounds", func(r *Request) { r.From, r.To = time.Time{}, time.Time{} })
	f("since without before", func(r *Request) { r.StoredSince = r.From })
	f("since after before", func(r *Request) { r.StoredSince, r.StoredBefore = r.To, r.From })
	f("hours by when they were stored", func(r *Request) { r.Granularity, r.StoredBefore = schema.Hourly, r.To })
	f("granularity", func(r *Request) { r.Granularity = schema.Mixed })
	f("format", func(r *Request) { r.Format = "xml" })
	f("coding around Parquet", func(r *Request) { r.Format, r.Encoding = Parquet, Gzip })
}
