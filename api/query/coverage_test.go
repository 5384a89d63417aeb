package query

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func gapsOf(bounds ...int64) (gaps []gap) {
	for i := 0; i < len(bounds); i += 2 {
		gaps = append(gaps, gap{From: bounds[i], To: bounds[i+1], Index: i / 2})
	}
	return gaps
}

func TestJoinGaps(t *testing.T) {
	many := make([]gap, 40)
	for i := range many { // 40 gaps of 1 every 10, the last two 3 apart
		many[i] = gap{From: int64(i * 10), To: int64(i*10 + 1)}
	}
	many[39] = gap{From: 384, To: 385}
	for _, c := range []struct {
		name       string
		gaps, want []gap
	}{
		{"none", nil, nil},
		{"empty ones", gapsOf(5, 5, 90, 80), nil},
		{"cut to the range", gapsOf(-5, 3, 395, 900), gapsOf(0, 3, 395, 400)},
		{"in order, touching", gapsOf(50, 60, 10, 20, 20, 30, 55, 70), gapsOf(10, 30, 50, 70)},
		{"within another", gapsOf(10, 90, 20, 30), gapsOf(10, 90)},
	} {
		if got := joinGaps(c.gaps, 0, 400); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	got := joinGaps(many, 0, 400)
	if len(got) != maxGaps || got[0].From != 0 || got[maxGaps-1].To != 385 {
		t.Errorf("many: got %v", got)
	}
	for _, g := range many {
		if !slices.ContainsFunc(got, func(j gap) bool { return j.From <= g.From && g.To <= j.To }) {
			t.Errorf("%v is in none of %v", g, got)
		}
	}
}

// Nothing is read from the rollups for what they do not hold whole: minutes that the range cuts, stale minutes and hours.
func TestCoverageOfCutsAndStale(t *testing.T) {
	at := func(hour, minute, second int) int64 { return utc(2026, 3, 10, hour, minute, second).UnixMilli() }
	p := spans{hourFrom: utc(2026, 3, 10, 2, 0, 0), cut: utc(2026, 3, 10, 4, 10, 30), to: utc(2026, 3, 10, 8, 20, 10)}
	c := newCoverage(p, stale{samples: 7, minutelyHours: []int64{at(6, 0, 0)}, totalMinutes: []int64{at(5, 3, 0), at(8, 19, 0)}, hourlyHours: []int64{at(2, 0, 0)}, totalHours: []int64{at(3, 0, 0)}})
	if !c.whole || c.samples != 7 || c.bodyFrom != at(4, 11, 0) || c.bodyTo != at(8, 20, 0) {
		t.Errorf("got %+v", c)
	}
	for _, k := range []struct {
		name string
		got  []gap
		want []gap
	}{
		{"live", c.live, gapsOf(at(4, 10, 30), at(4, 11, 0), at(6, 0, 0), at(7, 0, 0), at(8, 20, 0), at(8, 20, 10))},
		{"totals", c.totals, gapsOf(at(4, 10, 30), at(4, 11, 0), at(5, 3, 0), at(5, 4, 0), at(6, 0, 0), at(7, 0, 0), at(8, 19, 0), at(8, 20, 10))},
		{"live hours", c.liveHours, gapsOf(at(2, 0, 0), at(3, 0, 0))},
		{"total hours", c.totalHours, gapsOf(at(2, 0, 0), at(4, 0, 0))},
	} {
		if !slices.Equal(k.got, k.want) {
			t.Errorf("%s: got %v, want %v", k.name, k.got, k.want)
		}
	}
}

// The rollups are really read, rows that they miss make a gap, and late samples make their minute one until the next
// refresh. With the rollups wrong on purpose the answers must change: else nobody read them.
func TestRollupsAreReadWhereTheyAreTrue(t *testing.T) {
	conn := schematest.ClickHouse(t)
	license := uuid.New()
	hour := schema.FloorHour(time.Now()).Add(-6 * time.Hour)
	now := hour.Add(4 * time.Hour)
	put := func(server string, at time.Time, players uint64) {
		t.Helper()
		s := schema.Sample{License: license, ServerID: server, TS: at.UnixMilli(), ReceivedAt: time.Now().UnixMilli()}
		s.SetUint(schema.Players, players)
		schematest.InsertSamples(t, conn, []schema.Sample{s})
	}
	for minute := range 5 {
		put("a", hour.Add(time.Duration(minute)*time.Minute), 10)
		put("b", hour.Add(time.Duration(minute)*time.Minute), 20)
	}
	engine := New(conn, DefaultConfig(), func() time.Time { return now })
	r := TimeseriesRequest{Scope: Scope{License: license}, Range: Range{hour, now}, Metrics: []string{"players"}, Agg: Max, Step: time.Minute}
	at := func(minute int) float64 {
		t.Helper()
		answer, err := engine.Timeseries(t.Context(), r)
		if err != nil || answer.Series[0].Values[minute] == nil {
			t.Fatalf("minute %d: %v, %v", minute, answer, err)
		}
		return *answer.Series[0].Values[minute]
	}
	refreshTotals(t, conn)
	if got := at(1); got != 30 {
		t.Errorf("got %v, want 30", got)
	}
	put("a", hour.Add(time.Minute+30*time.Second), 40) // the mean of a becomes 25
	if got := at(1); got != 45 {
		t.Errorf("late sample: got %v, want 45", got)
	}
	refreshTotals(t, conn)
	if got := at(1); got != 45 {
		t.Errorf("late sample, built anew: got %v, want 45", got)
	}
	if err := conn.Exec(t.Context(), "INSERT INTO corrosion.license_minutely_totals (license_id, minute, samples, players, built_at) VALUES (?, ?, 2, 77, now64(3) + 60)", license, hour.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	want := 77.0
	if localtest.Shards() > 1 { // each shard has totals of its own servers, and one row made up is too many samples
		want = 30
	}
	if got := at(2); got != want {
		t.Errorf("the totals are not read: got %v, want %v", got, want)
	}
	if err := conn.Exec(t.Context(), "INSERT INTO corrosion.license_minutely (license_id, minute, samples) VALUES (?, ?, 1)", license, hour.Add(9*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := at(2); got != 30 {
		t.Errorf("an hour whose rollup counts other samples: got %v, want 30", got)
	}
}
