package query

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	goldenLicense = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	goldenNow     = utc(2026, 3, 10, 10, 37, 12)
)

// goldenRequests are timeseries whose statements show every fragment.
func goldenRequests(file string, change func(*TimeseriesRequest)) (requests []TimeseriesRequest) {
	for _, agg := range allAggs {
		for _, group := range []GroupBy{GroupNone, GroupServer} {
			r := TimeseriesRequest{Scope: Scope{License: goldenLicense}, Agg: agg, GroupBy: group, Metrics: []string{"players", "fps", "metrics.ping/p95"}}
			if file != "raw" && isPercentile(agg) {
				r.Metrics = []string{"fps", "frame_ms"}
			}
			change(&r)
			requests = append(requests, r)
		}
	}
	return requests
}

func goldenFiles(t *testing.T) map[string][]statement {
	t.Helper()
	files := make(map[string][]statement)
	add := func(file string, sketch bool, requests ...TimeseriesRequest) {
		for _, r := range requests {
			plan, err := planTimeseries(r, goldenNow, schema.DefaultRetention(), DefaultConfig())
			if err != nil {
				t.Fatalf("%s %s: %v", file, r.Agg, err)
			}
			for _, s := range seriesStatements(r, plan, weight{sketch: sketch}) {
				s.name += fmt.Sprintf(" agg=%s group_by=%s step=%s", r.Agg, r.GroupBy, plan.step)
				files[file] = append(files[file], s)
			}
		}
	}
	last := func(length time.Duration) Range { return Range{goldenNow.Add(-length), goldenNow} }
	add("raw", false, goldenRequests("raw", func(r *TimeseriesRequest) { r.Range = last(day) })...)
	add("hourly", false, goldenRequests("hourly", func(r *TimeseriesRequest) { r.Range = last(40 * day); r.To = r.From.Add(day) })...)
	add("mixed", false, goldenRequests("mixed", func(r *TimeseriesRequest) { r.Range = last(30 * day) })...)
	chosen := Scope{License: goldenLicense, Servers: []string{"eu-1", "eu-2"}}
	edge := TimeseriesRequest{Scope: chosen, Range: last(time.Hour), Metrics: []string{"players"}, Agg: Max}
	for _, step := range []time.Duration{10 * time.Second, 90 * time.Second} {
		edge.Step = step
		add("buckets", false, edge)
	}
	edge.Range, edge.Step, edge.TZ = Range{utc(2026, 3, 7, 0, 0, 0), utc(2026, 3, 9, 0, 0, 0)}, 90*time.Minute, mustZone(t, "America/New_York")
	add("buckets", false, edge)
	edge.Range, edge.Agg, edge.Metrics = last(day), P95, []string{"fps"}
	add("buckets", true, edge)
	for file, length := range map[string]time.Duration{"summary_raw": day, "summary_mixed": 30 * day} {
		s := newSummaryStatements(chosen, planSummary(last(length), goldenNow, schema.DefaultRetention()), coverage{}, goldenNow)
		files[file] = withText(nowStatement(chosen, goldenNow), s.servers, s.players, s.sketched, s.exact, s.old, s.sure, s.unsure)
	}
	chosen.Selected, chosen.Book = true, &Book{Registered: []string{"by-hand"}, Archived: []string{"old"}, Expected: map[string]time.Duration{"eu-2": 5 * time.Minute}}
	booked := newSummaryStatements(chosen, planSummary(last(day), goldenNow, schema.DefaultRetention()), coverage{}, goldenNow)
	whole := Scope{License: goldenLicense, Book: chosen.Book}
	wide := newSummaryStatements(whole, planSummary(last(day), goldenNow, schema.DefaultRetention()), coverage{whole: true}, goldenNow)
	files["summary_book"] = []statement{nowStatement(chosen, goldenNow), booked.servers, wide.servers}
	chosen.Selected, chosen.Book = false, nil
	logged, peak := planIngest(last(7 * day)).statements(goldenLicense)
	files["ingest"] = []statement{logged, peak}
	goldenLicenses(t, files)
	files["estimate"] = []statement{estimateStatement(chosen, last(day))}
	return files
}

func withText(statements ...statement) []statement {
	return slices.DeleteFunc(statements, func(s statement) bool { return s.text == "" })
}

// goldenLicenses are the statements that read a license's own rollups, around gaps and without any.
func goldenLicenses(t *testing.T, files map[string][]statement) {
	t.Helper()
	all := Scope{License: goldenLicense}
	hour := utc(2026, 3, 10, 8, 0, 0).UnixMilli()
	midnight := utc(2026, 3, 10, 0, 0, 0).UnixMilli()
	some := stale{days: []int64{midnight - 6*dayMillis, midnight - 3*dayMillis}, builds: [][]int64{{midnight * 1000}, {(midnight + 1) * 1000}}, daySamples: []uint64{5, 6}, minutelyHours: []int64{hour}, hourlyHours: []int64{hour - 20*24*hourMillis}, totalMinutes: []int64{hour + 90*minute}, totalHours: []int64{hour - 9*24*hourMillis}}
	for file, length := range map[string]time.Duration{"license_raw": day, "license_mixed": 30 * day} {
		from := goldenNow.Add(-length).Truncate(time.Minute)
		for _, agg := range []Agg{Avg, Sum, Min, Last, P95, Count} {
			r := TimeseriesRequest{Scope: all, Agg: agg, Range: Range{from, goldenNow}, Metrics: []string{"players", "fps", "metrics.ping/p95"}}
			if isPercentile(agg) && file == "license_mixed" {
				r.Metrics = []string{"fps"}
			}
			plan, err := planTimeseries(r, goldenNow, schema.DefaultRetention(), DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			found := some
			if agg == Sum {
				found = stale{}
			}
			w := weight{sketch: true, cover: newCoverage(plan.spans(goldenNow, 7*day), found)}
			for _, s := range seriesStatements(r, plan, w) {
				s.name += fmt.Sprintf(" agg=%s step=%s", agg, plan.step)
				files[file] = append(files[file], s)
			}
		}
		plan := planSummary(Range{from, goldenNow}, goldenNow, schema.DefaultRetention())
		spans := plan.spans(goldenNow, 7*day)
		s := newSummaryStatements(all, plan, newCoverage(spans, some), goldenNow)
		files[file] = append(files[file], withText(coverageStatement(all, spans), s.servers, s.restarts, s.figures, s.players, s.peak,
			s.named(unsureHours{[]string{"eu-1"}, []uint32{uint32(hour / 1000)}, []uint32{uint32(hour/1000) - 7200}}))...)
	}
}

// Every text that is sent to ClickHouse stands in testdata: go test -run Golden -update renews them.
func TestGoldenSQL(t *testing.T) {
	for name, statements := range goldenFiles(t) {
		var text strings.Builder
		for _, s := range statements {
			fmt.Fprintf(&text, "-- %s\n%s\n\n", s.name, s.text)
			for _, arg := range s.args {
				if named, ok := arg.(driver.NamedValue); ok && strings.Contains(s.text, "{"+named.Name+":") {
					fmt.Fprintf(&text, "--   %s = %v\n", named.Name, named.Value)
				}
			}
			text.WriteString("\n")
		}
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if text.String() != string(want) {
			t.Errorf("%s differs from the statements: see the difference with go test -run Golden -update and git diff", path)
		}
	}
}

// Every statement must run as it is, with each parameter that it names, and begin its condition with the license.
func TestGoldenSQLRuns(t *testing.T) {
	conn := schematest.ClickHouse(t)
	run := runner{conn: conn, cfg: DefaultConfig()}
	where := regexp.MustCompile(`WHERE\s+(\S+ = \S+)`)
	seen := make(map[string]bool)
	for _, statements := range goldenFiles(t) {
		for _, s := range statements {
			for _, match := range where.FindAllStringSubmatch(s.text, -1) {
				if match[1] != "license_id = {license:UUID}" && !strings.HasPrefix(match[1], "hour") {
					t.Errorf("%s: a condition begins with %s", s.name, match[1])
				}
			}
			if seen[s.text] {
				continue
			}
			seen[s.text] = true
			if err := run.query(t.Context(), s, func(driver.Rows) error { return nil }); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d distinct statements", len(seen))
}
