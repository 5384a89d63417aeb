package query

import (
	"testing"
	"time"

	"corrosion/schema"
)

var testNow = time.Date(2026, 3, 10, 10, 37, 12, 345_678_901, time.UTC)

func TestParseRange(t *testing.T) {
	cut, whole := testNow.Truncate(time.Millisecond), testNow.Truncate(time.Minute)
	for _, c := range []struct {
		name     string
		params   RangeParams
		from, to time.Time
	}{
		{"nothing is a day", RangeParams{}, whole.Add(-day), cut},
		{"hours", RangeParams{Range: "24h"}, whole.Add(-day), cut},
		{"days", RangeParams{Range: "30d"}, cut.Add(-30 * day), cut},
		{"minutes", RangeParams{Range: "90m"}, whole.Add(-90 * time.Minute), cut},
		{"minutes as they are", RangeParams{Range: "59m"}, cut.Add(-59 * time.Minute), cut},
		{"as long as raw is kept", RangeParams{Range: "7d"}, whole.Add(-7 * day), cut},
		{"bare hours", RangeParams{Range: "36"}, whole.Add(-36 * time.Hour), cut},
		{"longest", RangeParams{Range: "400d"}, cut.Add(-400 * day), cut},
		{"rfc 3339", RangeParams{From: "2026-03-01T00:00:00Z", To: "2026-03-02T00:00:00.5Z"}, utc(2026, 3, 1, 0, 0, 0), utc(2026, 3, 2, 0, 0, 0).Add(500 * time.Millisecond)},
		{"offset", RangeParams{From: "2026-03-01T00:00:00+05:30", To: "2026-03-02T00:00:00-08:00"}, utc(2026, 2, 28, 18, 30, 0), utc(2026, 3, 2, 8, 0, 0)},
		{"lower case", RangeParams{From: "2026-03-01t00:00:00z", To: "2026-03-02t00:00:00z"}, utc(2026, 3, 1, 0, 0, 0), utc(2026, 3, 2, 0, 0, 0)},
		{"seconds", RangeParams{From: "1772323200", To: "1772326800"}, utc(2026, 3, 1, 0, 0, 0), utc(2026, 3, 1, 1, 0, 0)},
		{"milliseconds", RangeParams{From: "1772323200001", To: "1772326800000"}, utc(2026, 3, 1, 0, 0, 0).Add(time.Millisecond), utc(2026, 3, 1, 1, 0, 0)},
		{"without to until now", RangeParams{From: "2026-03-10T00:00:00Z"}, utc(2026, 3, 10, 0, 0, 0), cut},
	} {
		got, faults := ParseRange(c.params, testNow, schema.DefaultRetention())
		if faults != nil || !got.From.Equal(c.from) || !got.To.Equal(c.to) {
			t.Errorf("%s: got %v %v, want %v to %v", c.name, got, faults, c.from, c.to)
		}
	}
}

func utc(year, month, day, hour, minute, second int) time.Time {
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
}

func TestParseRangeFaults(t *testing.T) {
	for _, c := range []struct {
		name      string
		params    RangeParams
		locations []string
	}{
		{"two ways", RangeParams{Range: "24h", From: "1"}, []string{"query.range"}},
		{"to alone", RangeParams{To: "2026-03-02T00:00:00Z"}, []string{"query.from"}},
		{"zero", RangeParams{Range: "0h"}, []string{"query.range"}},
		{"negative", RangeParams{Range: "-5h"}, []string{"query.range"}},
		{"signed", RangeParams{Range: "+5h"}, []string{"query.range"}},
		{"fraction", RangeParams{Range: "1.5h"}, []string{"query.range"}},
		{"weeks", RangeParams{Range: "1w"}, []string{"query.range"}},
		{"unit alone", RangeParams{Range: "d"}, []string{"query.range"}},
		{"too long", RangeParams{Range: "401d"}, []string{"query.range"}},
		{"overflow", RangeParams{Range: "99999999999999999999d"}, []string{"query.range"}},
		{"nearly overflow", RangeParams{Range: "4294967295d"}, []string{"query.range"}},
		{"from after to", RangeParams{From: "2026-03-02T00:00:00Z", To: "2026-03-01T00:00:00Z"}, []string{"query.from"}},
		{"empty", RangeParams{From: "1772323200", To: "1772323200"}, []string{"query.from"}},
		{"both wrong", RangeParams{From: "yesterday", To: "2026-13-01T00:00:00Z"}, []string{"query.from", "query.to"}},
		{"signed epoch", RangeParams{From: "+5", To: "10"}, []string{"query.from"}},
		{"negative epoch", RangeParams{From: "-5", To: "10"}, []string{"query.from"}},
		{"before 1970", RangeParams{From: "1969-12-31T23:59:59Z", To: "10"}, []string{"query.from"}},
		{"far away", RangeParams{From: "1772323200", To: "9223372036854775807"}, []string{"query.to"}},
		{"year 9999", RangeParams{From: "9998-01-01T00:00:00Z", To: "9999-01-01T00:00:00Z"}, []string{"query.from", "query.to"}},
		{"more than 400 days", RangeParams{From: "2024-01-01T00:00:00Z", To: "2026-01-01T00:00:00Z"}, []string{"query.from"}},
	} {
		_, faults := ParseRange(c.params, testNow, schema.DefaultRetention())
		if len(faults) != len(c.locations) {
			t.Errorf("%s: got %v, want faults at %v", c.name, faults, c.locations)
			continue
		}
		for i, fault := range faults {
			if fault.Location != c.locations[i] || fault.Message == "" {
				t.Errorf("%s: got %+v, want a fault at %s", c.name, fault, c.locations[i])
			}
		}
	}
}

func TestParseStep(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "1d": day, "1w": 7 * day, "1w2d3h": 9*day + 3*time.Hour, "1s": time.Second,
		"1500ms": 1500 * time.Millisecond, "5m0s": 5 * time.Minute, "1.5h": 90 * time.Minute, "400d": 400 * day, "1y": 365 * day,
	} {
		if got, fault := ParseStep(text); fault != nil || got != want {
			t.Errorf("%q: got %s %v, want %s", text, got, fault, want)
		}
	}
	for _, text := range []string{"0", "0s", "-5m", "999ms", "5", "m", "5x", "1m1w", "401d", "1.0005s", "9999999999999999999y", "1000000h", " 5m"} {
		if got, fault := ParseStep(text); fault == nil || fault.Location != "query.step" || fault.Value != text {
			t.Errorf("%q: got %s %v, want a fault", text, got, fault)
		}
	}
}

func TestParseWords(t *testing.T) {
	if agg, fault := ParseAgg(""); agg != Avg || fault != nil {
		t.Errorf("agg: got %q %v", agg, fault)
	}
	if _, fault := ParseAgg("median"); fault == nil {
		t.Error("agg median: got no fault")
	}
	if fill, fault := ParseFill("linear"); fill != FillLinear || fault != nil {
		t.Errorf("fill: got %q %v", fill, fault)
	}
	if _, fault := ParseFill("zero"); fault == nil {
		t.Error("fill zero: got no fault")
	}
	if group, fault := ParseGroupBy("server"); group != GroupServer || fault != nil {
		t.Errorf("group_by: got %q %v", group, fault)
	}
	for _, text := range []string{"groups", "tag:", "tag:a b", "tag:ü", "map"} {
		if _, fault := ParseGroupBy(text); fault == nil || fault.Location != "query.group_by" {
			t.Errorf("group_by %s: got %v, want a fault", text, fault)
		}
	}
	if zone, fault := ParseTZ("Asia/Kolkata"); fault != nil || zone.String() != "Asia/Kolkata" {
		t.Errorf("tz: got %v %v", zone, fault)
	}
	for _, text := range []string{"Local", "Mars/Olympus", "../etc/passwd"} {
		if _, fault := ParseTZ(text); fault == nil {
			t.Errorf("tz %s: got no fault", text)
		}
	}
}

func TestParseLists(t *testing.T) {
	if got, faults := ParseMetrics([]string{"players", "metrics.a/b", "players"}); faults != nil || len(got) != 2 {
		t.Errorf("metrics: got %v %v", got, faults)
	}
	if _, faults := ParseMetrics([]string{"player", "boot", "metrics.", "metrics.a b", "n", "fps"}); len(faults) != 5 {
		t.Errorf("metrics: got %v, want five faults", faults)
	}
	if _, faults := ParseMetrics(nil); len(faults) != 1 {
		t.Errorf("no metric: got %v", faults)
	}
	if got, faults := ParseServers([]string{"a", "b", "a"}); faults != nil || len(got) != 2 {
		t.Errorf("servers: got %v %v", got, faults)
	}
	if _, faults := ParseServers([]string{"a/b", "reply", ""}); len(faults) != 3 {
		t.Errorf("servers: got %v, want three faults", faults)
	}
	if _, faults := ParseServers(make([]string, MaxServers+1)); len(faults) != 1 {
		t.Errorf("many servers: got %d faults, want one", len(faults))
	}
}
