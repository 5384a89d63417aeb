package query

import (
	"slices"
	"testing"
	"time"
)

// localEdges are the edges over [from, to), written as the zone's wall clocks show them.
func localEdges(t *testing.T, zone string, step time.Duration, from, to string) (texts []string) {
	t.Helper()
	location := mustZone(t, zone)
	start, err := time.Parse(time.RFC3339, from)
	if err != nil {
		t.Fatal(err)
	}
	end, err := time.Parse(time.RFC3339, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, edge := range newGrid(step, location).edges(start.UnixMilli(), end.UnixMilli(), 1000) {
		texts = append(texts, time.UnixMilli(edge).In(location).Format("01-02 15:04 -0700"))
	}
	return texts
}

func TestEdges(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		step       time.Duration
		from, to   string
		want       []string
	}{
		{"utc, from within a bucket", "UTC", time.Hour, "2026-03-10T10:37:12Z", "2026-03-10T12:00:00Z",
			[]string{"03-10 10:00 +0000", "03-10 11:00 +0000", "03-10 12:00 +0000"}},
		{"a day of 23 hours", "Europe/Berlin", day, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z",
			[]string{"03-28 00:00 +0100", "03-29 00:00 +0100", "03-30 00:00 +0200", "03-31 00:00 +0200"}},
		{"a day of 25 hours", "Europe/Berlin", day, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z",
			[]string{"10-24 00:00 +0200", "10-25 00:00 +0200", "10-26 00:00 +0100", "10-27 00:00 +0100"}},
		{"new york has other dates", "America/New_York", day, "2026-03-08T00:00:00Z", "2026-03-09T12:00:00Z",
			[]string{"03-07 00:00 -0500", "03-08 00:00 -0500", "03-09 00:00 -0400", "03-10 00:00 -0400"}},
		{"hours over the lost hour", "Europe/Berlin", time.Hour, "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z",
			[]string{"03-29 01:00 +0100", "03-29 03:00 +0200", "03-29 04:00 +0200"}},
		{"hours over the doubled hour", "Europe/Berlin", time.Hour, "2026-10-24T23:30:00Z", "2026-10-25T02:00:00Z",
			[]string{"10-25 01:00 +0200", "10-25 02:00 +0200", "10-25 02:00 +0100", "10-25 03:00 +0100"}},
		{"six hours are seven", "Europe/Berlin", 6 * time.Hour, "2026-10-24T21:00:00Z", "2026-10-25T12:00:00Z",
			[]string{"10-24 18:00 +0200", "10-25 00:00 +0200", "10-25 06:00 +0100", "10-25 12:00 +0100", "10-25 18:00 +0100"}},
		{"six hours are five", "Europe/Berlin", 6 * time.Hour, "2026-03-28T23:00:00Z", "2026-03-29T10:00:00Z",
			[]string{"03-29 00:00 +0100", "03-29 06:00 +0200", "03-29 12:00 +0200"}},
		{"two hours, starting within the doubled hour", "Europe/Berlin", 2 * time.Hour, "2026-10-25T01:30:00Z", "2026-10-25T04:00:00Z",
			[]string{"10-25 02:00 +0200", "10-25 04:00 +0100", "10-25 06:00 +0100"}},
		{"two hours, the lost edge is where the clock jumps", "Europe/Berlin", 2 * time.Hour, "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z",
			[]string{"03-29 00:00 +0100", "03-29 03:00 +0200", "03-29 04:00 +0200", "03-29 06:00 +0200"}},
		{"half an hour off utc", "Asia/Kolkata", time.Hour, "2026-03-10T10:00:00Z", "2026-03-10T11:30:00Z",
			[]string{"03-10 15:00 +0530", "03-10 16:00 +0530", "03-10 17:00 +0530"}},
		{"a day half an hour off utc", "Asia/Kolkata", day, "2026-03-10T18:29:00Z", "2026-03-10T18:31:00Z",
			[]string{"03-10 00:00 +0530", "03-11 00:00 +0530", "03-12 00:00 +0530"}},
		{"half an hour is put back", "Australia/Lord_Howe", time.Hour, "2026-04-04T13:30:00Z", "2026-04-04T17:00:00Z",
			[]string{"04-05 00:00 +1100", "04-05 01:00 +1100", "04-05 02:00 +1030", "04-05 03:00 +1030", "04-05 04:00 +1030"}},
		{"half an hour is put forward", "Australia/Lord_Howe", time.Hour, "2026-10-03T14:30:00Z", "2026-10-03T17:00:00Z",
			[]string{"10-04 01:00 +1030", "10-04 02:30 +1100", "10-04 03:00 +1100", "10-04 04:00 +1100"}},
		{"half hours run on", "Australia/Lord_Howe", 30 * time.Minute, "2026-04-04T14:30:00Z", "2026-04-04T16:00:00Z",
			[]string{"04-05 01:30 +1100", "04-05 01:30 +1030", "04-05 02:00 +1030", "04-05 02:30 +1030"}},
		{"midnight does not exist", "America/Santiago", day, "2026-09-05T12:00:00Z", "2026-09-07T12:00:00Z",
			[]string{"09-05 00:00 -0400", "09-06 01:00 -0300", "09-07 00:00 -0300", "09-08 00:00 -0300"}},
		{"weeks count from the epoch, a thursday", "UTC", 7 * day, "2026-03-10T00:00:00Z", "2026-03-12T00:00:01Z",
			[]string{"03-05 00:00 +0000", "03-12 00:00 +0000", "03-19 00:00 +0000"}},
	} {
		if got := localEdges(t, c.zone, c.step, c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// Over years of every kind of clock change, edges rise, cover the range, and floor finds them again.
func TestEdgesRiseAndAreFoundAgain(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Kathmandu"} {
		for _, step := range []time.Duration{15 * time.Minute, time.Hour, 2 * time.Hour, 7 * time.Hour, 12 * time.Hour, day, 7 * day} {
			g := newGrid(step, mustZone(t, zone))
			from := utc(2025, 1, 1, 0, 17, 3).UnixMilli()
			to := from + min(70_000*step.Milliseconds(), 700*day.Milliseconds())
			edges := g.edges(from, to, 100_000)
			if edges == nil || edges[0] > from || edges[1] <= from || edges[len(edges)-1] < to || edges[len(edges)-2] >= to {
				t.Fatalf("%s %s: the range is not covered", zone, step)
			}
			for i := 1; i < len(edges); i++ {
				width := edges[i] - edges[i-1]
				if width <= 0 || width > 2*g.step {
					t.Fatalf("%s %s: bucket of %d ms at %d", zone, step, width, edges[i-1])
				}
				if g.floor(edges[i-1]) != edges[i-1] || g.floor(edges[i]-1) != edges[i-1] {
					t.Fatalf("%s %s: floor does not find %d again", zone, step, edges[i-1])
				}
			}
		}
	}
}

func TestHourEdges(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		step       time.Duration
		from, to   time.Time
		want       []time.Time
	}{
		{"whole hours stay", "Europe/Berlin", day, utc(2026, 3, 1, 22, 0, 0), utc(2026, 3, 2, 12, 0, 0),
			[]time.Time{utc(2026, 2, 28, 23, 0, 0), utc(2026, 3, 1, 23, 0, 0), utc(2026, 3, 2, 23, 0, 0)}},
		{"half hours move up", "Asia/Kolkata", day, utc(2026, 3, 1, 18, 0, 0), utc(2026, 3, 2, 12, 0, 0),
			[]time.Time{utc(2026, 2, 28, 19, 0, 0), utc(2026, 3, 1, 19, 0, 0), utc(2026, 3, 2, 19, 0, 0)}},
		{"hours of half hours", "Asia/Kolkata", time.Hour, utc(2026, 3, 1, 18, 0, 0), utc(2026, 3, 1, 20, 0, 0),
			[]time.Time{utc(2026, 3, 1, 18, 0, 0), utc(2026, 3, 1, 19, 0, 0), utc(2026, 3, 1, 20, 0, 0)}},
		{"no bucket of no hours", "Australia/Lord_Howe", time.Hour, utc(2026, 10, 3, 14, 0, 0), utc(2026, 10, 3, 17, 0, 0),
			[]time.Time{utc(2026, 10, 3, 14, 0, 0), utc(2026, 10, 3, 15, 0, 0), utc(2026, 10, 3, 16, 0, 0), utc(2026, 10, 3, 17, 0, 0)}},
	} {
		var got []time.Time
		for _, edge := range newGrid(c.step, mustZone(t, c.zone)).hourEdges(c.from.UnixMilli(), c.to.UnixMilli(), 100) {
			got = append(got, time.UnixMilli(edge).UTC())
		}
		if !slices.EqualFunc(got, c.want, time.Time.Equal) {
			t.Errorf("%s:\n got %v\nwant %v", c.name, got, c.want)
		}
	}
}
