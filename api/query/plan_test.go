package query

import (
	"errors"
	"slices"
	"testing"
	"time"

	"corrosion/schema"
)

var planNow = utc(2026, 3, 10, 10, 37, 12)

func ago(d time.Duration) time.Time { return planNow.Add(-d) }

func planOf(t *testing.T, r TimeseriesRequest) (seriesPlan, error) {
	t.Helper()
	r = r.withDefaults()
	return planTimeseries(r, planNow, schema.DefaultRetention(), DefaultConfig())
}

func TestPlanSource(t *testing.T) {
	hour := utc(2026, 3, 10, 10, 0, 0)
	for _, c := range []struct {
		name    string
		request TimeseriesRequest
		source  schema.Resolution
		step    time.Duration
		from,
		to time.Time
		cut time.Time
	}{
		{"a day", TimeseriesRequest{Range: Range{ago(day), planNow}}, schema.Raw, 5 * time.Minute, ago(day), planNow, ago(day)},
		{"as long as raw is kept", TimeseriesRequest{Range: Range{ago(7 * day), planNow}}, schema.Raw, 30 * time.Minute, ago(7 * day), planNow, ago(7 * day)},
		{"asked for a moment ago", TimeseriesRequest{Range: Range{ago(7*day + 50*time.Second), planNow}}, schema.Raw, 30 * time.Minute, ago(7*day + 50*time.Second), planNow, ago(7*day + 50*time.Second)},
		{"hours where they keep it", TimeseriesRequest{Range: Range{ago(day), planNow}, Step: time.Hour}, schema.Hourly, time.Hour, hour.Add(-day), hour.Add(time.Hour), hour.Add(time.Hour)},
		{"few points", TimeseriesRequest{Range: Range{ago(7 * day), planNow}, MaxPoints: 100}, schema.Hourly, 2 * time.Hour, hour.Add(-7 * day), hour.Add(time.Hour), hour.Add(time.Hour)},
		{"percentiles of totals are raw's", TimeseriesRequest{Range: Range{ago(day), planNow}, Step: time.Hour, Agg: P95}, schema.Raw, time.Hour, ago(day), planNow, ago(day)},
		{"sketched percentiles", TimeseriesRequest{Range: Range{ago(day), planNow}, Step: time.Hour, Agg: P95, Metrics: []string{"fps"}}, schema.Hourly, time.Hour, hour.Add(-day), hour.Add(time.Hour), hour.Add(time.Hour)},
		{"one metric that the hours do not keep", TimeseriesRequest{Range: Range{ago(day), planNow}, Step: time.Hour, Agg: P95, Metrics: []string{"fps", "memory_mb"}}, schema.Raw, time.Hour, ago(day), planNow, ago(day)},
		{"ninety minutes are not whole hours", TimeseriesRequest{Range: Range{ago(day), planNow}, Step: 90 * time.Minute}, schema.Raw, 90 * time.Minute, ago(day), planNow, ago(day)},
		{"hours that are not utc's", TimeseriesRequest{Range: Range{ago(day), planNow}, Step: time.Hour, TZ: mustZone(t, "Asia/Kolkata")}, schema.Raw, time.Hour, ago(day), planNow, ago(day)},
		{"over the edge of raw", TimeseriesRequest{Range: Range{ago(30 * day), planNow}}, schema.Mixed, 2 * time.Hour, hour.Add(-30 * day), planNow, hour},
		{"over the edge of raw, wide buckets", TimeseriesRequest{Range: Range{ago(30 * day), planNow}, Step: day}, schema.Mixed, day, hour.Add(-30 * day), planNow, hour},
		{"over the edge of raw, whole hours", TimeseriesRequest{Range: Range{hour.Add(-10 * day), hour}, Step: time.Hour}, schema.Mixed, time.Hour, hour.Add(-10 * day), hour, hour.Add(-time.Hour)},
		{"a fine step becomes whole hours", TimeseriesRequest{Range: Range{ago(10 * day), planNow}, Step: 5 * time.Minute}, schema.Mixed, time.Hour, hour.Add(-10 * day), planNow, hour},
		{"ninety minutes become two hours", TimeseriesRequest{Range: Range{ago(10 * day), planNow}, Step: 90 * time.Minute}, schema.Mixed, 2 * time.Hour, hour.Add(-10 * day), planNow, hour},
		{"into the future", TimeseriesRequest{Range: Range{ago(10 * day), planNow.Add(day)}, Step: time.Hour}, schema.Mixed, time.Hour, hour.Add(-10 * day), planNow.Add(day), hour},
		{"long ago", TimeseriesRequest{Range: Range{ago(20 * day), ago(9*day - time.Hour)}, Step: time.Hour}, schema.Hourly, time.Hour, hour.Add(-20 * day), hour.Add(-9*day + 2*time.Hour), hour.Add(-9*day + 2*time.Hour)},
		{"long ago in a zone of half hours", TimeseriesRequest{Range: Range{ago(20 * day), ago(9 * day)}, Step: day, TZ: mustZone(t, "Asia/Kolkata")}, schema.Hourly, day, hour.Add(-20 * day), hour.Add(-9*day + time.Hour), hour.Add(-9*day + time.Hour)},
	} {
		if c.request.Metrics == nil {
			c.request.Metrics = []string{"players"}
		}
		got, err := planOf(t, c.request)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.source != c.source || got.step != c.step || !got.From.Equal(c.from) || !got.To.Equal(c.to) || !got.cut.Equal(c.cut) {
			t.Errorf("%s:\n got %s %s %v..%v cut %v\nwant %s %s %v..%v cut %v", c.name, got.source, got.step, got.From, got.To, got.cut, c.source, c.step, c.from, c.to, c.cut)
		}
	}
}

func TestPlanFaults(t *testing.T) {
	for _, c := range []struct {
		name      string
		request   TimeseriesRequest
		code      string
		locations []string
	}{
		{"a million points", TimeseriesRequest{Range: Range{ago(12 * day), planNow}, Step: time.Second}, CodeTooManyPoints, []string{"query.step"}},
		{"one too many", TimeseriesRequest{Range: Range{ago(11_001 * time.Second), planNow}, Step: time.Second}, CodeTooManyPoints, []string{"query.step"}},
		{"too many values", TimeseriesRequest{Range: Range{ago(6000 * time.Second), planNow}, Step: time.Second, GroupBy: GroupServer, Metrics: []string{"players", "fps"},
			Scope: Scope{Servers: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"}}}, CodeTooManyPoints, []string{"query.step"}},
		{"percentiles of totals long ago", TimeseriesRequest{Range: Range{ago(12 * day), planNow}, Agg: P95}, CodeAggNotKept, []string{"query.agg"}},
		{"percentiles of what has no sketch", TimeseriesRequest{Range: Range{ago(12 * day), planNow}, Agg: P50, Metrics: []string{"fps", "memory_mb", "metrics.a"}}, CodeAggNotKept, []string{"query.agg", "query.agg"}},
		{"everything wrong", TimeseriesRequest{Range: Range{planNow, ago(day)}, Agg: "median", Fill: "x", GroupBy: "y", Metrics: []string{"z"}, Step: time.Millisecond, MaxPoints: -1, Scope: Scope{Servers: []string{"a/b"}}},
			CodeInvalid, []string{"query.from", "query.metric", "query.server_id", "query.agg", "query.fill", "query.group_by", "query.step", "query.max_points"}},
	} {
		if c.request.Metrics == nil {
			c.request.Metrics = []string{"players"}
		}
		_, err := planOf(t, c.request)
		var faults *Faults
		if !errors.As(err, &faults) || faults.Code != c.code {
			t.Errorf("%s: got %v, want %s", c.name, err, c.code)
			continue
		}
		var locations []string
		for _, fault := range faults.List {
			locations = append(locations, fault.Location)
		}
		if !slices.Equal(locations, c.locations) {
			t.Errorf("%s: got faults at %v, want %v", c.name, locations, c.locations)
		}
	}
}

func TestPlanStepsFit(t *testing.T) {
	for length := time.Second; length < 400*day; length = length*3/2 + 7*time.Millisecond {
		for _, points := range []int{0, 1, 2, 10, 100, 1000, 11_000} {
			p, err := planOf(t, TimeseriesRequest{Range: Range{ago(length), planNow}, Metrics: []string{"players"}, MaxPoints: points, TZ: mustZone(t, "Europe/Berlin")})
			if err != nil {
				t.Fatalf("%s, %d points: %v", length, points, err)
			}
			most := points
			if points == 0 {
				most = DefaultConfig().DefaultPoints
			}
			if got := len(p.partial); got < 1 || got > max(most, 3) {
				t.Errorf("%s: got %d points of step %s, want at most %d", length, got, p.step, most)
			}
		}
	}
}

func TestPlanPartial(t *testing.T) {
	from := utc(2026, 3, 10, 9, 2, 30)
	for _, c := range []struct {
		name string
		Range
		want []bool
	}{
		{"from and to", Range{from, from.Add(10 * time.Minute)}, []bool{true, false, true}},
		{"on the edges", Range{utc(2026, 3, 10, 9, 0, 0), utc(2026, 3, 10, 9, 10, 0)}, []bool{false, false}},
		{"now", Range{utc(2026, 3, 10, 10, 30, 0), utc(2026, 3, 10, 10, 45, 0)}, []bool{false, true, true}},
		{"within one bucket", Range{from, from.Add(time.Minute)}, []bool{true}},
	} {
		got, err := planOf(t, TimeseriesRequest{Range: c.Range, Metrics: []string{"fps"}, Step: 5 * time.Minute})
		if err != nil || !slices.Equal(got.partial, c.want) {
			t.Errorf("%s: got %v %v, want %v", c.name, got.partial, err, c.want)
		}
	}
}

func TestPlanSummary(t *testing.T) {
	hour := utc(2026, 3, 10, 10, 0, 0)
	edge := hour.Add(-7 * day).Add(time.Hour)
	for _, c := range []struct {
		name string
		Range
		want summaryPlan
	}{
		{"raw", Range{ago(day), planNow}, summaryPlan{Range{ago(day), planNow}, schema.Raw, ago(day), hour.Add(-day + time.Hour), hour}},
		{"within one hour", Range{ago(10 * time.Minute), planNow}, summaryPlan{Range{ago(10 * time.Minute), planNow}, schema.Raw, ago(10 * time.Minute), planNow, planNow}},
		{"mixed", Range{ago(30 * day), planNow}, summaryPlan{Range{hour.Add(-30 * day), planNow}, schema.Mixed, edge, hour.Add(-30 * day), hour}},
		{"hourly", Range{ago(30 * day), ago(20 * day)}, summaryPlan{Range{hour.Add(-30 * day), hour.Add(-20*day + time.Hour)}, schema.Hourly, hour.Add(-20*day + time.Hour), hour.Add(-30 * day), hour.Add(-20*day + time.Hour)}},
	} {
		if got := planSummary(c.Range, planNow, schema.DefaultRetention()); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}
