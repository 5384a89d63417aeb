package replay

import (
	"strings"
	"testing"
	"time"

	"corrosion/schema"
)

func TestDayShift(t *testing.T) {
	const day, now = 24 * 60 * 60 * 1000, 1_795_176_000_000
	for _, back := range []int64{0, 1, day - 1, day, day + 1, 1000*day + 7, -1, -day, -day - 1} {
		shift := dayShift(now-back, now)
		if moved := now - back + shift; shift%day != 0 || moved > now || moved <= now-day {
			t.Errorf("newest %d ms before now: moved to %d before", back, now-moved)
		}
	}
}

func TestParseTime(t *testing.T) {
	f := func(s string, want int64, assumed bool) {
		t.Helper()
		got, a, err := parseTime(s)
		if err != nil || got != want || a != assumed {
			t.Errorf("%q: %d %v %v, want %d %v", s, got, a, err, want, assumed)
		}
	}
	f("2023-11-14T22:13:20Z", 1_700_000_000_000, false)
	f("2023-11-14T23:13:20.0019+01:00", 1_700_000_000_001, false)
	f("1700000000", 1_700_000_000_000, false)
	f("1700000000.123", 1_700_000_000_123, false)
	f(" 1700000000123 ", 1_700_000_000_123, false)
	f("1700000000123.9", 1_700_000_000_123, false)
	f("2023-11-14 22:13:20", 1_700_000_000_000, true)
	f("2023-11-14 22:13:20.5", 1_700_000_000_500, true)
	f("2023-11-14T22:13:20", 1_700_000_000_000, true)
	f("2023-11-14 22:13:20 UTC", 1_700_000_000_000, false)
	f("2023-11-14 22:13:20+00:00", 1_700_000_000_000, false)
	f("2023-11-14", 1_699_920_000_000, true)
	for _, s := range []string{"", "yesterday", "2023-13-01", "NaN", "1e30", "14.11.2023", "2023-11-14 22:13:20 CET"} {
		if got, _, err := parseTime(s); err == nil {
			t.Errorf("%q: %d, want an error", s, got)
		}
	}
}

func TestServerIDs(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := cleanServerID(name); got != want || want != "" && !schema.ValidServerID(got) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	f("eu-1", "eu-1")
	f(" a.b/c d ", "a_b_c_d")
	f("näe\xff", "n_e_")
	f("reply", "reply_")
	f("", "")
	f("  ", "")
	long := strings.Repeat("x", 64)
	a, b := cleanServerID(long+"1"), cleanServerID(long+"2")
	if a == b || !schema.ValidServerID(a) || len(a) != 64 || cleanServerID(long) != long {
		t.Errorf("long ids %q and %q", a, b)
	}
	_, r := replayed(t, "ts,server_id,fps\n"+ms(0)+",a.b,1\n"+ms(0)+",a_b,1\n"+ms(0)+",a b,1\n"+ms(0)+",a.b,1\n", nil)
	if r.CollisionsCount != 2 || r.Collisions[0] != (Collision{"a.b", "a_b", "a_b"}) || r.ServersCount != 2 {
		t.Errorf("collisions %v, renamed %v", r.Collisions, r.Servers)
	}
}

func TestServerIDOption(t *testing.T) {
	got, _ := replayed(t, "date\tfps\n2026-11-20\t5\n", func(o *Options) { o.ServerID = "x" })
	checkSamples(t, got, `{"server_id":"x","ts":`+ms(12*time.Hour)+`,"fps":5}`)
}
