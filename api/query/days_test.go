package query

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestPartsOfDays(t *testing.T) {
	at := func(d, hour, minute int) int64 { return utc(2026, 3, d, hour, minute, 0).UnixMilli() }
	dayAt := func(d int) dayRows { return dayRows{at(d, 0, 0), []int64{7}, 10} }
	f := func(name string, from, to time.Time, known []dayRows, days []int, samples uint64, hours, restartHours []gap) {
		t.Helper()
		p := planSummary(Range{from, to}, utc(2026, 3, 10, 10, 37, 12), schema.DefaultRetention())
		hourFrom := p.hourFrom
		if from.Equal(from.Truncate(time.Minute)) && hourFrom.Before(to) {
			hourFrom = schema.FloorHour(from)
		}
		got := p.parts(known, hourFrom)
		var gotDays []int
		for _, d := range got.rows {
			gotDays = append(gotDays, time.UnixMilli(d.day).UTC().Day())
		}
		if !slices.Equal(gotDays, days) || got.samples != samples || !slices.Equal(got.hours, hours) || !slices.Equal(got.restartHours, restartHours) {
			t.Errorf("%s: got days %v of %d samples, hours %v, with restarts %v", name, gotDays, got.samples, got.hours, got.restartHours)
		}
	}
	now := utc(2026, 3, 10, 10, 37, 12)
	f("none is known", utc(2026, 3, 9, 10, 37, 0), now, nil, nil, 0,
		gapsOf(at(9, 10, 0), at(10, 11, 0)), gapsOf(at(2, 10, 0), at(10, 11, 0)))
	f("within a day, from a cut minute", utc(2026, 3, 9, 10, 37, 12), now, []dayRows{dayAt(9)}, nil, 0,
		gapsOf(at(9, 11, 0), at(10, 11, 0)), gapsOf(at(2, 10, 0), at(10, 11, 0)))
	f("days before, within and cut", utc(2026, 3, 7, 10, 37, 0), now, []dayRows{dayAt(9), dayAt(7), dayAt(8), dayAt(6), dayAt(1), dayAt(10), dayAt(28)}, []int{1, 6, 8, 9}, 20,
		gapsOf(at(7, 10, 0), at(8, 0, 0), at(10, 0, 0), at(10, 11, 0)), gapsOf(at(0, 10, 0), at(1, 0, 0), at(2, 0, 0), at(6, 0, 0), at(7, 0, 0), at(8, 0, 0), at(10, 0, 0), at(10, 11, 0)))
	f("from and to at midnight", utc(2026, 3, 8, 0, 0, 0), utc(2026, 3, 10, 0, 0, 0), []dayRows{dayAt(8), dayAt(9)}, []int{8, 9}, 20,
		nil, gapsOf(at(1, 0, 0), at(8, 0, 0)))
	f("within one hour", utc(2026, 3, 10, 10, 5, 0), utc(2026, 3, 10, 10, 35, 0), []dayRows{dayAt(9)}, []int{9}, 0,
		nil, gapsOf(at(3, 10, 0), at(9, 0, 0), at(10, 0, 0), at(10, 11, 0)))
	var every []dayRows
	var others []int
	for d := -40; d < 10; d += 2 { // holes everywhere: most are read as hours, and no day twice
		every = append(every, dayAt(d))
	}
	p := planSummary(Range{utc(2026, 1, 30, 0, 0, 0), now}, now, schema.DefaultRetention())
	parts := p.parts(every, p.From)
	for _, d := range parts.rows {
		if slices.ContainsFunc(parts.restartHours, func(g gap) bool { return g.From < d.day+dayMillis && d.day < g.To }) {
			others = append(others, int(d.day))
		}
	}
	if len(parts.rows) == 0 || len(parts.restartHours) > maxGaps || others != nil {
		t.Errorf("holes: got %d days and %d stretches, %v in both", len(parts.rows), len(parts.restartHours), others)
	}
}

// newLongScene stores servers over several days at awkward paces: some with gaps of minutes, some that stop, start late or come
// back after days, around the edge of raw retention, too. Late samples make the newest full day untrue.
func newLongScene(t *testing.T, seed uint64) scene {
	t.Helper()
	now := schema.FloorHour(time.Now()).Add(-23*time.Minute - 17*time.Second)
	g := newGenerator(seed)
	slow := []time.Duration{time.Minute, 3 * time.Minute, 7 * time.Minute, 40 * time.Minute}
	for _, id := range []string{"s0", "s1", "s2", "s3"} {
		g.server(id, now.Add(-4*day), now, slow)
	}
	g.server("s0", now.Add(-11*day), now.Add(-6*day), slow)
	g.server("stopped", now.Add(-9*day), now.Add(-50*time.Hour), slow)
	g.server("back", now.Add(-8*day), now.Add(-7*day), slow)
	g.server("back", now.Add(-30*time.Hour), now.Add(-2*time.Hour), slow)
	conn := schematest.ClickHouse(t)
	late := func(s schema.Sample) bool { return s.Seq%50 == 7 && time.UnixMilli(s.TS).After(now.Add(-50*time.Hour)) }
	schematest.InsertSamples(t, conn, slices.DeleteFunc(slices.Clone(g.samples), late))
	refreshTotals(t, conn)
	schematest.InsertSamples(t, conn, slices.DeleteFunc(slices.Clone(g.samples), func(s schema.Sample) bool { return !late(s) }))
	s := scene{generator: g, now: now, engine: New(conn, DefaultConfig(), func() time.Time { return now })}
	s.writeNetwork(t, conn)
	return s
}

// Whatever comes from days, from hours and from samples: the answer is the reference's.
func TestSummariesFromDaysEqualReference(t *testing.T) {
	for seed := range uint64(2 * scenes) {
		s := newLongScene(t, 300+seed)
		midnight := s.now.Truncate(day)
		ranges := []Range{
			{s.now.Add(-day).Truncate(time.Minute), s.now},
			{s.now.Add(-3 * day).Truncate(time.Minute), s.now},
			{s.now.Add(-3*day - 1234*time.Millisecond), s.now.Add(-26 * time.Hour)},
			{s.now.Add(-7 * day).Truncate(time.Minute), s.now},
			{midnight.Add(-2 * day), midnight},
			{midnight.Add(-3 * day), midnight.Add(-day)},
			{midnight.Add(-3 * day), midnight.Add(-day + 30*time.Minute)},
			{midnight.Add(-day), s.now},
			{s.now.Add(-9 * day), s.now},
			{s.now.Add(-30 * day), s.now.Add(-30 * time.Minute)},
			{s.now.Add(-12 * day), s.now.Add(-8 * day)},
		}
		for _, r := range ranges {
			s.compareSummary(t, SummaryRequest{Scope{License: s.license}, r})
		}
		refreshTotals(t, s.engine.run.conn) // the late samples' days, too
		for _, r := range ranges {
			s.compareSummary(t, SummaryRequest{Scope{License: s.license}, r})
		}
	}
}

// The days are really read, a late sample makes its day be read from the hours until it is computed anew, and a set of rows
// that was computed before or holds other samples is not believed.
func TestDaysAreReadWhereTheyAreTrue(t *testing.T) {
	conn := schematest.ClickHouse(t)
	license := uuid.New()
	now := schema.FloorHour(time.Now()).Add(-10 * time.Minute)
	noon := now.Truncate(day).Add(-36 * time.Hour)
	put := func(at time.Time, capacity uint64) {
		t.Helper()
		s := schema.Sample{License: license, ServerID: "a", TS: at.UnixMilli(), ReceivedAt: time.Now().UnixMilli()}
		s.SetUint(schema.MaxPlayers, capacity)
		s.SetUint(schema.Players, 1)
		schematest.InsertSamples(t, conn, []schema.Sample{s})
	}
	engine := New(conn, DefaultConfig(), func() time.Time { return now })
	capacity := func(want float64) {
		t.Helper()
		answer, err := engine.Summary(t.Context(), SummaryRequest{Scope{License: license}, Range{now.Add(-3 * day).Truncate(time.Minute), now}})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Players.Capacity == nil || *answer.Players.Capacity != want {
			t.Errorf("capacity: got %s, want %v", show(answer.Players.Capacity), want)
		}
	}
	write := func(query string) {
		t.Helper()
		if err := conn.Exec(t.Context(), query, license); err != nil {
			t.Fatal(err)
		}
	}
	put(noon, 100)
	refreshTotals(t, conn)
	capacity(100)
	write("INSERT INTO corrosion.server_daily SELECT * REPLACE (77 AS capacity, built_at + 60 AS built_at) FROM corrosion.server_daily WHERE license_id = ?")
	capacity(77)
	put(noon.Add(time.Minute), 150)
	capacity(150)
	refreshTotals(t, conn)
	write("INSERT INTO corrosion.server_daily SELECT * REPLACE (88 AS capacity, built_at + 120 AS built_at, checksum + 1 AS checksum) FROM corrosion.server_daily WHERE license_id = ?")
	capacity(150)
}
