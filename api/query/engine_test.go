package query

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/connect/stores"
	"corrosion/schema/schematest"
)

var (
	allAggs    = []Agg{Avg, Min, Max, Sum, Last, P05, P50, P95, P99, Count}
	allMetrics = []string{"players", "queued", "fps", "memory_mb", "net_in", "uptime_s", "metrics.ping/p95"}
)

// scenes is how many sets of samples are tried; CORROSION_QUERY_SCENES tries more.
var scenes = func() int {
	if n, err := strconv.Atoi(os.Getenv("CORROSION_QUERY_SCENES")); err == nil {
		return n
	}
	return 1
}()

// scene is a set of stored samples with a fixed now.
type scene struct {
	*generator
	engine *Engine
	now    time.Time
}

// newScene stores the samples of a few servers over the hours before now and, if old is set, around the edge of raw
// retention and beyond it.
func newScene(t *testing.T, seed uint64, old bool) scene {
	t.Helper()
	now := schema.FloorHour(time.Now()).Add(-23*time.Minute - 17*time.Second)
	g := newGenerator(seed)
	paces := []time.Duration{10 * time.Second, 20 * time.Second, time.Minute, 4 * time.Minute}
	for i := range 3 {
		id := fmt.Sprintf("s%d", i)
		g.server(id, now.Add(-3*time.Hour), now, paces)
		if old {
			g.server(id, now.Add(-190*time.Hour), now.Add(-187*time.Hour), paces)
			g.server(id, now.Add(-169*time.Hour), now.Add(-167*time.Hour), paces)
		}
	}
	conn := schematest.ClickHouse(t)
	schematest.InsertSamples(t, conn, g.samples[:len(g.samples)*4/5])
	refreshTotals(t, conn)
	schematest.InsertSamples(t, conn, g.samples[len(g.samples)*4/5:]) // late: the totals of their minutes are off
	s := scene{generator: g, now: now, engine: New(conn, DefaultConfig(), func() time.Time { return now })}
	if old {
		s.writeNetwork(t, conn)
	}
	return s
}

// writeNetwork stores the hours over all servers, as the aggregator does.
func (s scene) writeNetwork(t testing.TB, conn driver.Conn) {
	t.Helper()
	for hour, samples := range groupSamples(s.pointers(), hourOf) {
		var peak *float64
		var at *time.Time
		for minute, total := range totals(samples, "players", func(s *schema.Sample) int64 { return floorDiv(s.TS, minuteMillis) }) {
			start := time.UnixMilli(minute * minuteMillis).UTC()
			if peak == nil || total > *peak || total == *peak && start.Before(*at) {
				peak, at = &total, &start
			}
		}
		err := conn.Exec(t.Context(), "INSERT INTO corrosion.network_hours (license_id, hour, peak_players, peak_at, servers_reporting, samples, version) VALUES (?, ?, ?, ?, ?, ?, 1)",
			s.license, time.UnixMilli(hour*hourMillis).UTC(), peak, at, uint64(len(groupSamples(samples, serverOf))), uint64(len(samples)))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// refreshTotals computes what adds up over a license's servers, as ClickHouse does by itself every few minutes.
func refreshTotals(t testing.TB, conn driver.Conn) {
	t.Helper()
	shards, err := stores.Shards(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []string{"license_hourly_totals_built", "license_minutely_totals_rest", "server_daily_built"} {
		for _, do := range []string{"REFRESH", "WAIT"} {
			for _, shard := range shards {
				if err := shard.Exec(t.Context(), "SYSTEM "+do+" VIEW corrosion."+view); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func near(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 1e-9*max(1, math.Abs(*a), math.Abs(*b))
}

func show(v *float64) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(*v)
}

// compare asks the engine and the reference the same question.
func (s scene) compare(t *testing.T, r TimeseriesRequest) schema.Resolution {
	t.Helper()
	name := fmt.Sprintf("%s group=%q step=%s tz=%v %s..%s", r.Agg, r.GroupBy, r.Step, r.TZ, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	retention, err := s.engine.Retention(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plan, planErr := planTimeseries(r, s.now, retention, s.engine.cfg)
	got, err := s.engine.Timeseries(t.Context(), r)
	if planErr != nil || err != nil {
		if planErr == nil || err == nil || planErr.Error() != err.Error() {
			t.Fatalf("%s: got error %v, want %v", name, err, planErr)
		}
		return ""
	}
	r.Step = plan.step
	for _, series := range got.Series {
		server := ""
		if series.ServerID != nil {
			server = *series.ServerID
		}
		want := referenceSeries(s.chosen(r.Servers), plan, r, series.Metric, server)
		for i, v := range series.Values {
			if near(v, want[i]) || s.sketched(r, plan, series.Metric, server, i, v) {
				continue
			}
			t.Fatalf("%s (%s): %s %s bucket %d: got %s, want %s", name, plan.source, series.Metric, server, i, show(v), show(want[i]))
		}
	}
	return plan.source
}

func (s scene) chosen(servers []string) []*schema.Sample {
	if len(servers) == 0 {
		return s.pointers()
	}
	return slices.DeleteFunc(s.pointers(), func(p *schema.Sample) bool { return !slices.Contains(servers, p.ServerID) })
}

// sketched tells whether v is what a sketch may answer: within 1 % of the values next to the percentile.
func (s scene) sketched(r TimeseriesRequest, p seriesPlan, metric, server string, bucket int, v *float64) bool {
	if p.source == schema.Raw || !isPercentile(r.Agg) || v == nil {
		return false
	}
	samples := between(s.chosen(r.Servers), max(p.edges[bucket], p.From.UnixMilli()), min(p.edges[bucket+1], p.To.UnixMilli()))
	if server != "" {
		samples = groupSamples(samples, serverOf)[server]
	}
	return sketchOf(valuesOf(samples, metric), levelOf(r.Agg), *v)
}

func sketchOf(values []float64, level, v float64) bool {
	if len(values) == 0 {
		return false
	}
	_, low, high := percentile(values, level)
	return v >= low*0.99 && v <= high*1.01
}

// Every aggregation of every kind of metric, grouped or not, at every step, must be what the reference says.
func TestTimeseriesEqualsReference(t *testing.T) {
	zones := []*time.Location{time.UTC, mustZone(t, "Asia/Kolkata"), mustZone(t, "America/New_York")}
	steps := []time.Duration{0, 7 * time.Second, 30 * time.Second, time.Minute, 90 * time.Second, 5 * time.Minute, time.Hour, 90 * time.Minute, 2 * time.Hour, day}
	seen := make(map[schema.Resolution]int)
	for seed := range uint64(scenes) {
		s := newScene(t, seed, true)
		turn := int(seed)
		for i, step := range steps {
			for _, agg := range allAggs {
				for _, group := range []GroupBy{GroupNone, GroupServer} {
					r := TimeseriesRequest{Scope: Scope{License: s.license}, Metrics: allMetrics, Agg: agg, Step: step, GroupBy: group, TZ: zones[i%len(zones)]}
					if isPercentile(agg) && step >= time.Hour {
						r.Metrics = []string{"fps", "frame_ms"}
					}
					r.Range = Range{s.now.Add(-150*time.Minute + 1234*time.Millisecond), s.now}
					if turn++; turn%3 == 0 {
						r.Servers = []string{"s1"}
					}
					if turn%2 == 0 || step >= time.Hour {
						seen[s.compare(t, r)]++
					}
					r.Servers = nil
					if r.Range = (Range{s.now.Add(-191*time.Hour + 777*time.Millisecond), s.now}); turn%4 == 0 {
						r.To = s.now.Add(-168*time.Hour + 10*time.Minute)
						r.Servers = []string{"s0", "s2"}
					}
					if turn%2 == 1 || step >= time.Hour {
						seen[s.compare(t, r)]++
					}
				}
			}
		}
	}
	t.Logf("compared: %v", seen)
	for _, source := range []schema.Resolution{schema.Raw, schema.Hourly, schema.Mixed} {
		if seen[source] == 0 {
			t.Errorf("nothing was answered from %s", source)
		}
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestSummaryEqualsReference(t *testing.T) {
	for seed := range uint64(2 * scenes) {
		s := newScene(t, 100+seed, true)
		for _, r := range []Range{
			{s.now.Add(-3 * time.Hour), s.now},
			{s.now.Add(-95*time.Minute - 1*time.Millisecond), s.now.Add(-10 * time.Minute)},
			{s.now.Add(-20 * time.Minute), s.now},
			{s.now.Add(-170 * time.Minute).Truncate(time.Minute), s.now},
			{s.now.Add(-130 * time.Minute).Truncate(time.Minute), s.now.Add(-40 * time.Minute).Truncate(time.Minute)},
			{s.now.Add(-169 * time.Hour), s.now},
			{s.now.Add(-167*time.Hour - 30*time.Minute).Truncate(time.Minute), s.now.Add(-30 * time.Minute)},
			{s.now.Add(-20 * time.Minute), s.now.Add(time.Hour)},
			{s.now.Add(-30 * day), s.now},
			{s.now.Add(-189 * time.Hour), s.now.Add(-100 * time.Hour)},
			{s.now.Add(-189 * time.Hour), s.now.Add(-188 * time.Hour)},
			{s.now.Add(-60 * day), s.now.Add(-50 * day)},
		} {
			for _, servers := range [][]string{nil, {"s0"}, {"s1", "s2", "unknown"}} {
				s.compareSummary(t, SummaryRequest{Scope{License: s.license, Servers: servers}, r})
			}
		}
	}
}

func (s scene) compareSummary(t *testing.T, r SummaryRequest) {
	t.Helper()
	got, err := s.engine.Summary(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	retention, _ := s.engine.Retention(t.Context())
	plan := planSummary(r.Range.whole(), s.now, retention)
	samples := s.chosen(r.Servers)
	want := referenceSummary(samples, plan, len(r.Servers) == 0, s.now)
	inRange := between(samples, plan.From.UnixMilli(), plan.To.UnixMilli())
	name := fmt.Sprintf("%v %s..%s (%s)", r.Servers, plan.From.Format(time.RFC3339), plan.To.Format(time.RFC3339), plan.source)
	if got.Servers != want.Servers || got.Samples != want.Samples || got.Source != want.Source || !got.From.Equal(want.From) || !got.To.Equal(want.To) {
		t.Fatalf("%s: got %+v, want %+v", name, got, want)
	}
	if (got.Restarts == nil) != (want.Restarts == nil) || got.Restarts != nil && *got.Restarts != *want.Restarts {
		t.Errorf("%s: restarts: got %v, want %v", name, deref(got.Restarts), deref(want.Restarts))
	}
	if (got.Players.PeakAt == nil) != (want.Players.PeakAt == nil) {
		t.Errorf("%s: peak_at: got %v, want %v", name, got.Players.PeakAt, want.Players.PeakAt)
	} else if got.Players.PeakAt != nil && !got.Players.PeakAt.Equal(*want.Players.PeakAt) {
		t.Errorf("%s: peak_at: got %v, want %v", name, got.Players.PeakAt, want.Players.PeakAt)
	}
	for _, c := range []struct {
		figure    string
		got, want *float64
	}{
		{"players.current", got.Players.Current, want.Players.Current}, {"players.avg", got.Players.Avg, want.Players.Avg},
		{"players.peak", got.Players.Peak, want.Players.Peak}, {"players.capacity", got.Players.Capacity, want.Players.Capacity},
		{"fps.avg", got.FPS.Avg, want.FPS.Avg}, {"fps.min", got.FPS.Min, want.FPS.Min}, {"frame_ms.avg", got.FrameMS.Avg, want.FrameMS.Avg},
		{"entities.avg", got.Entities.Avg, want.Entities.Avg}, {"entities.max", got.Entities.Max, want.Entities.Max},
		{"memory_mb.avg", got.MemoryMB.Avg, want.MemoryMB.Avg}, {"memory_mb.max", got.MemoryMB.Max, want.MemoryMB.Max},
		{"cpu_percent.avg", got.CPUPercent.Avg, want.CPUPercent.Avg}, {"cpu_percent.max", got.CPUPercent.Max, want.CPUPercent.Max},
		{"uptime_percent", got.UptimePercent, want.UptimePercent},
	} {
		if !near(c.got, c.want) {
			t.Errorf("%s: %s: got %s, want %s", name, c.figure, show(c.got), show(c.want))
		}
	}
	for _, c := range []struct {
		metric    string
		level     float64
		got, want *float64
	}{
		{"fps", 0.05, got.FPS.P05, want.FPS.P05}, {"fps", 0.5, got.FPS.P50, want.FPS.P50},
		{"frame_ms", 0.95, got.FrameMS.P95, want.FrameMS.P95}, {"frame_ms", 0.99, got.FrameMS.P99, want.FrameMS.P99},
	} {
		if !near(c.got, c.want) && (plan.source == schema.Raw || c.got == nil || !sketchOf(valuesOf(inRange, c.metric), c.level, *c.got)) {
			t.Errorf("%s: %s p%v: got %s, want %s", name, c.metric, c.level, show(c.got), show(c.want))
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func deref(v *uint64) any {
	if v == nil {
		return nil
	}
	return *v
}

// Another license's rows are never part of an answer.
func TestLicensesAreApart(t *testing.T) {
	s := newScene(t, 7, false)
	other := uuid.New()
	r := Range{s.now.Add(-3 * time.Hour), s.now}
	summary, err := s.engine.Summary(t.Context(), SummaryRequest{Scope{License: other}, r})
	if err != nil {
		t.Fatal(err)
	}
	if summary.Samples != 0 || summary.Servers.Total != 0 || summary.Players.Current != nil || summary.UptimePercent != nil || summary.Restarts != nil {
		t.Errorf("got %+v, want an empty answer", summary)
	}
	for _, step := range []time.Duration{time.Minute, time.Hour} {
		series, err := s.engine.Timeseries(t.Context(), TimeseriesRequest{Scope: Scope{License: other}, Range: r, Metrics: allMetrics, Agg: Sum, Step: step})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range series.Series {
			if slices.ContainsFunc(one.Values, func(v *float64) bool { return v != nil }) {
				t.Errorf("%s at %s: got values of another license", one.Metric, step)
			}
		}
	}
}
