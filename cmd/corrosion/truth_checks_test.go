package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"corrosion/deploy/local/localtest"
)

// truthRun is recorded data under a license, and the shift that brought it near to now.
type truthRun struct {
	t      *testing.T
	p      *platform
	token  string
	source truthSource
	shift  time.Duration
}

var (
	publishedPattern = regexp.MustCompile(`([0-9]+) samples published`)
	shiftPattern     = regexp.MustCompile(`shifted by (-?[0-9]+) days`)
)

// storedQuery counts a license's samples in raw and in the hours: a batch's rows show in raw a moment before its views
// have them, and its custom measurements in both.
const storedQuery = `SELECT (SELECT count() FROM corrosion.samples WHERE license_id = 'LICENSE'),
	(SELECT sum(samples) FROM corrosion.samples_hourly WHERE license_id = 'LICENSE'),
	(SELECT sum(length(metrics)) FROM corrosion.samples WHERE license_id = 'LICENSE')
		- (SELECT sum(count) FROM corrosion.metrics_hourly WHERE license_id = 'LICENSE')`

// await reads what replay printed and waits until ClickHouse holds as many samples, raw and rolled up.
func (r *truthRun) await(license, report string) {
	r.t.Helper()
	published, shift := publishedPattern.FindStringSubmatch(report), shiftPattern.FindStringSubmatch(report)
	if published == nil || shift == nil {
		r.t.Fatalf("replay did not say what it published and by how much it shifted:\n%s", report)
	}
	days, _ := strconv.Atoi(shift[1])
	r.shift = time.Duration(days) * 24 * time.Hour
	query, want := strings.ReplaceAll(storedQuery, "LICENSE", license), published[1]+"\t"+published[1]+"\t0"
	localtest.CheckFor(r.t, 2*time.Minute, 100*time.Millisecond, func() error {
		if got := strings.TrimSpace(r.p.corrosion("sql", "--format", "TSV", query)); got != want {
			return fmt.Errorf("stored raw, hourly and missing measurements: got %s, want %s", got, want)
		}
		return nil
	})
}

type truthSeries struct {
	Timestamps []int64 `json:"timestamps"`
	Series     []struct {
		ServerID *string    `json:"server_id"`
		Values   []*float64 `json:"values"`
	} `json:"series"`
}

// one asks for a single bucket over the check's whole window and returns its value per series.
func (r *truthRun) one(c truthCheck, agg, groupBy string) (map[string]float64, error) {
	from, to := c.window(r.source)
	from, to = from.Add(r.shift), to.Add(r.shift)
	query := url.Values{"from": {from.Format(time.RFC3339Nano)}, "to": {to.Format(time.RFC3339Nano)},
		"metric": {r.source.metric(c.Metric)}, "agg": {agg}, "step": {oneBucket(from, to)}}
	if c.ServerID != "" {
		query.Set("server_id", cleanServer(c.ServerID))
	}
	if groupBy != "" {
		query.Set("group_by", groupBy)
	}
	var answer truthSeries
	if status, body := r.p.get(r.token, "/api/analytics/timeseries", query, &answer); status != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", status, body)
	}
	values := map[string]float64{}
	for _, s := range answer.Series {
		name := ""
		if s.ServerID != nil {
			name = *s.ServerID
		}
		for _, v := range s.Values {
			if v != nil {
				if _, twice := values[name]; twice {
					return nil, errors.New("more than one bucket has a value")
				}
				values[name] = *v
			}
		}
	}
	return values, nil
}

// oneBucket finds a step of whole hours whose epoch-aligned buckets do not cut [from, to).
func oneBucket(from, to time.Time) string {
	hours := int64(math.Ceil(to.Sub(from).Hours()))
	for step := hours; ; step++ {
		width := step * 3600
		if from.Unix()/width == (to.Unix()-1)/width {
			return fmt.Sprintf("%dh", step)
		}
	}
}

var serverIDFault = regexp.MustCompile(`[^A-Za-z0-9_-]`)

func cleanServer(id string) string { return serverIDFault.ReplaceAllString(id, "_") }

// expect compares one aggregation of the check's window.
func (r *truthRun) expect(result *truthResult, c truthCheck, agg string, want float64) {
	values, err := r.one(c, agg, "")
	got, ok := values[""]
	switch {
	case err != nil:
		result.faults = append(result.faults, agg+": "+err.Error())
	case !ok:
		result.faults = append(result.faults, agg+": no value")
	case !near(got, want):
		result.faults = append(result.faults, fmt.Sprintf("%s: got %v, want %v", agg, got, want))
	default:
		result.equal++
	}
}

// near is the tolerance that the truths state for float64 columns.
func near(got, want float64) bool {
	return math.Abs(got-want) <= 1e-6*math.Max(math.Abs(want), 1e-9)
}

type truthQuantile struct {
	NearestRank float64 `json:"nearest_rank"`
	Lower       float64 `json:"lower"`
	Upper       float64 `json:"upper"`
}

func (r *truthRun) expectQuantile(result *truthResult, c truthCheck, agg string, want truthQuantile) {
	values, err := r.one(c, agg, "")
	got, ok := values[""]
	slack := 1e-6 * math.Abs(want.Upper)
	switch {
	case err != nil || !ok:
		result.faults = append(result.faults, fmt.Sprintf("%s: no value: %v", agg, err))
	case got < want.Lower-slack || got > want.Upper+slack:
		result.faults = append(result.faults, fmt.Sprintf("%s: got %v, want within [%v, %v]", agg, got, want.Lower, want.Upper))
	default:
		result.equal++
	}
}

func (r *truthRun) verify(c truthCheck) truthResult {
	result := truthResult{check: c}
	for agg, want := range map[string]*float64{"min": c.Min, "max": c.Max, "avg": c.Avg, "sum": c.Sum} {
		if want != nil {
			r.expect(&result, c, agg, *want)
		}
	}
	if c.N > 0 {
		r.expect(&result, c, "count", float64(c.N))
	}
	r.verifyExpected(&result, c)
	return result
}

func (r *truthRun) verifyExpected(result *truthResult, c truthCheck) {
	switch c.Kind {
	case "hourly_avg":
		r.expect(result, c, "avg", decodeAs[float64](c.Expected))
	case "daily_max":
		r.expect(result, c, "max", decodeAs[float64](c.Expected))
	case "percentiles_hour", "percentiles_day", "percentiles_week":
		for agg, want := range decodeAs[map[string]truthQuantile](c.Expected) {
			r.expectQuantile(result, c, agg, want)
		}
	case "fleet_hour", "fleet_week":
		r.verifyFleet(result, c)
	case "window_avg_max":
		for agg, want := range decodeAs[map[string]float64](c.Expected) {
			if agg == "n" {
				agg = "count"
			}
			r.expect(result, c, agg, want)
		}
	case "gaps":
		r.verifyGaps(result, c)
	case "threshold_episodes":
		r.verifyEpisodes(result, c)
	case "rows_and_servers_day":
		r.verifyRows(result, c)
	default:
		result.left = "no check for this kind fits the 90 days"
	}
}

func decodeAs[T any](raw json.RawMessage) T {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		panic(err)
	}
	return v
}

func (r *truthRun) verifyFleet(result *truthResult, c truthCheck) {
	want := decodeAs[struct {
		Avg, Min, Max, Sum float64
		N                  float64       `json:"n"`
		Servers            int           `json:"distinct_servers"`
		P50                truthQuantile `json:"p50"`
		P95                truthQuantile `json:"p95"`
	}](c.Expected)
	for agg, v := range map[string]float64{"avg": want.Avg, "min": want.Min, "max": want.Max, "sum": want.Sum, "count": want.N} {
		r.expect(result, c, agg, v)
	}
	r.expectQuantile(result, c, "p50", want.P50)
	r.expectQuantile(result, c, "p95", want.P95)
	servers, err := r.one(c, "count", "server")
	result.compare("servers", len(servers), want.Servers, err)
}

func (result *truthResult) compare(what string, got, want any, err error) {
	if err != nil || got != want {
		result.faults = append(result.faults, fmt.Sprintf("%s: got %v, want %v (%v)", what, got, want, err))
		return
	}
	result.equal++
}

// exported is one sample of an export: its source time, its server and the checked metric.
type exported struct {
	at     time.Time
	server string
	value  float64
}

// export reads the raw samples of the check's window as CSV, in order of server and time.
func (r *truthRun) export(c truthCheck) ([]exported, error) {
	from, to := c.window(r.source)
	query := url.Values{"granularity": {"raw"}, "format": {"csv"},
		"from": {from.Add(r.shift).Format(time.RFC3339Nano)}, "to": {to.Add(r.shift).Format(time.RFC3339Nano)}}
	if c.ServerID != "" {
		query.Set("server_id", cleanServer(c.ServerID))
	}
	status, body := r.p.get(r.token, "/api/analytics/export", query, nil)
	if status != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", status, body)
	}
	records, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range records[0] {
		column[name] = i
	}
	var rows []exported
	for _, record := range records[1:] {
		at, err := time.Parse(time.RFC3339Nano, record[column["ts"]])
		if err != nil {
			return nil, err
		}
		value, ok, err := cell(record, column, r.source.metric(c.Metric))
		if err != nil {
			return nil, err
		}
		if ok {
			rows = append(rows, exported{at: at.Add(-r.shift), server: record[column["server_id"]], value: value})
		}
	}
	return rows, nil
}

func cell(record []string, column map[string]int, metric string) (value float64, ok bool, err error) {
	if name, custom := strings.CutPrefix(metric, "metrics."); custom {
		metrics := map[string]float64{}
		if err := json.Unmarshal([]byte(record[column["metrics"]]), &metrics); err != nil {
			return 0, false, err
		}
		value, ok = metrics[name]
		return value, ok, nil
	}
	text := record[column[metric]]
	if text == "" {
		return 0, false, nil
	}
	value, err = strconv.ParseFloat(text, 64)
	return value, err == nil, err
}

func (r *truthRun) verifyRows(result *truthResult, c truthCheck) {
	want := decodeAs[struct {
		Rows    int `json:"rows"`
		Servers int `json:"distinct_servers"`
	}](c.Expected)
	c.Metric = "players"
	rows, err := r.export(c)
	servers := map[string]bool{}
	for _, row := range rows {
		servers[row.server] = true
	}
	result.compare("rows", len(rows), want.Rows, err)
	result.compare("servers", len(servers), want.Servers, err)
}

func (r *truthRun) verifyGaps(result *truthResult, c truthCheck) {
	type gap struct {
		After   time.Time `json:"after"`
		Next    time.Time `json:"next"`
		Seconds float64   `json:"seconds"`
	}
	want := decodeAs[struct {
		Threshold float64 `json:"threshold_s"`
		Count     int     `json:"gap_count"`
		Longest   []gap   `json:"longest"`
	}](c.Expected)
	rows, err := r.export(c)
	var gaps []gap
	for i := 1; i < len(rows); i++ {
		if seconds := rows[i].at.Sub(rows[i-1].at).Seconds(); seconds > want.Threshold {
			gaps = append(gaps, gap{rows[i-1].at, rows[i].at, seconds})
		}
	}
	sort.SliceStable(gaps, func(i, j int) bool { return gaps[i].Seconds > gaps[j].Seconds })
	result.compare("gaps", len(gaps), want.Count, err)
	for i, w := range want.Longest {
		if i < len(gaps) {
			result.compare("longest gap after", gaps[i].After.Equal(w.After) && gaps[i].Next.Equal(w.Next), true, nil)
		}
	}
}

// verifyEpisodes finds runs of samples at or over 80 % of CPU, as a threshold alert would.
func (r *truthRun) verifyEpisodes(result *truthResult, c truthCheck) {
	type episode struct {
		ServerID string    `json:"server_id"`
		First    time.Time `json:"first_sample"`
		Last     time.Time `json:"last_sample"`
		Samples  int       `json:"samples"`
		Max      float64   `json:"max"`
	}
	want := decodeAs[struct {
		Episodes int       `json:"episodes"`
		Samples  int       `json:"samples_at_or_over"`
		List     []episode `json:"list"`
	}](c.Expected)
	rows, err := r.export(c)
	var found []episode
	over, run := 0, []exported(nil)
	flush := func() {
		if len(run) >= 2 {
			e := episode{ServerID: run[0].server, First: run[0].at, Last: run[len(run)-1].at, Samples: len(run)}
			for _, row := range run {
				e.Max = math.Max(e.Max, row.value)
			}
			found = append(found, e)
		}
		run = nil
	}
	for _, row := range rows {
		if len(run) > 0 && (row.server != run[0].server || row.at.Sub(run[len(run)-1].at) > 150*time.Second) {
			flush()
		}
		if row.value < 80 {
			flush()
			continue
		}
		over++
		run = append(run, row)
	}
	flush()
	result.compare("episodes", len(found), want.Episodes, err)
	result.compare("samples at or over", over, want.Samples, err)
	for _, w := range want.List {
		hit := false
		for _, f := range found {
			hit = hit || f.ServerID == w.ServerID && f.First.Equal(w.First) && f.Last.Equal(w.Last) && f.Samples == w.Samples && near(f.Max, w.Max)
		}
		result.compare("episode of "+w.ServerID, hit, true, nil)
	}
}
