package cookbook_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// finding is what a query must say about the network of testdata/samples.sql.
type finding struct {
	// given are parameters other than license and until.
	given map[string]string
	check func(*testing.T, answer)
}

// findings are the expectations of every query, by name.
func findings() map[string]finding {
	all := map[string]finding{}
	for _, part := range []map[string]finding{playerFindings(), speedFindings(), availabilityFindings(), storageFindings()} {
		for name, f := range part {
			all[name] = f
		}
	}
	return all
}

func playerFindings() map[string]finding {
	return map[string]finding{
		"top-servers": {given: map[string]string{"hours": "168", "limit": "3"}, check: func(t *testing.T, a answer) {
			wantValues(t, a, "server_id", "eu-main", "ap-new", "us-lag")
			wantRow(t, a, "server_id", "eu-main", "peak_players=200 slots=200 peak_percent=100")
		}},
		"peaks-by-day": {given: map[string]string{"days": "3"}, check: func(t *testing.T, a answer) {
			wantValues(t, a, "day", "2026-11-20", "2026-11-19", "2026-11-18", "2026-11-17")
			wantRow(t, a, "day", "2026-11-19", "peak_players=505 servers=8 hours=24", "peak_at=2026-11-19 20:00:00")
		}},
		"busiest-hours": {given: map[string]string{"limit": "1", "tz": "Europe/Berlin"}, check: func(t *testing.T, a answer) {
			// 20:00 UTC on a Sunday is 21:00 in Berlin in winter.
			wantRow(t, a, "weekday", 7, "hour_of_day=21 weeks=2")
		}},
		"week-over-week": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "server_id", "us-lag", "change=0 change_percent=0")
			wantRow(t, a, "server_id", "us-old", "avg_players=<nil> players_before=22.4")
			wantRow(t, a, "server_id", "ap-new", "players_before=<nil>")
			wantMore(t, a, "server_id", "eu-main", "change", 20)
		}},
		"wipe-retention": {check: func(t *testing.T, a answer) {
			wantValues(t, a, "server_id", slices.Repeat([]string{"eu-main"}, 6)...)
			wantValues(t, a, "day", "0", "1", "2", "3", "4", "5")
			wantRow(t, a, "day", 0, "percent_of_first_day=100", "wiped_at=2026-11-14 18:00:00.000")
			wantFalling(t, a, "percent_of_first_day")
		}},
		"idle-capacity": {check: func(t *testing.T, a answer) {
			if a.Data[0]["server_id"] != "ap-empty" {
				t.Errorf("the idlest is %v", a.Data[0])
			}
			wantRow(t, a, "server_id", "ap-empty", "slots=300 peak_players=8 idle_slots=292")
			wantRow(t, a, "server_id", "eu-main", "idle_slots=0")
		}},
		"queue-pressure": {given: map[string]string{"hours": "168"}, check: func(t *testing.T, a answer) {
			wantValues(t, a, "server_id", "eu-main")
			wantMore(t, a, "server_id", "eu-main", "queued_minutes", 600)
			if a.Data[0]["full_minutes"].(float64) < a.Data[0]["queued_minutes"].(float64) {
				t.Errorf("queued while not full: %v", a.Data[0])
			}
		}},
		"players-by-map": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "map", "HapisIsland", "servers=7")
			wantRow(t, a, "map", "Procedural Map 4000/2", "servers=1")
			wantSum(t, a, "share", 100, 0.2)
		}},
		"players-by-version": {check: func(t *testing.T, a answer) {
			wantValues(t, a, "version", "2383.1", "2384.1")
			wantSum(t, a, "share", 100, 0.2)
		}},
		"new-servers": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "week", "2026-11-16", "new=1 lost=0 servers=8")
			wantRow(t, a, "week", "2026-11-09", "new=0 lost=1 servers=7")
			wantRow(t, a, "week", "2026-11-02", "new=8 lost=0 servers=8")
		}},
	}
}

func speedFindings() map[string]finding {
	return map[string]finding{
		"lag-spikes": {check: func(t *testing.T, a answer) {
			wantValues(t, a, "server_id", "us-lag")
			wantRow(t, a, "server_id", "us-lag", "seconds=540 samples=10 fps_min=9", "began=2026-11-20 13:00:10.000")
		}},
		"spikes-after-events": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "server_id", "us-lag", "slow_minutes=10 kind=note minutes_after=20", "title=Moved to another host")
		}},
		"deploy-effect": {check: func(t *testing.T, a answer) {
			wantValues(t, answer{Data: a.Data[:1]}, "server_id", "ap-new")
			wantMore(t, a, "server_id", "ap-new", "frame_p95_change", 15)
			if change := a.row("server_id", "us-gap")["frame_p95_change"].(float64); math.Abs(change) > 1 {
				t.Errorf("us-gap changed by %v %%", change)
			}
			if len(a.Data) != 8 {
				t.Errorf("%d servers were compared, want 8", len(a.Data))
			}
		}},
		"memory-leaks": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "server_id", "eu-leak", "running_hours=72 mb_per_hour=30 steadiness=1")
			for _, r := range a.Data {
				if slope := r["mb_per_hour"].(float64); r["server_id"] != "eu-leak" && math.Abs(slope) > 5 {
					t.Errorf("%v leaks %v MiB/h", r["server_id"], slope)
				}
			}
			// Only what ran since the last start counts: eu-crash started 4 hours before the end.
			wantRow(t, a, "server_id", "eu-crash", "running_hours=3.9")
		}},
		"frame-time-outliers": {check: func(t *testing.T, a answer) {
			wantMore(t, a, "server_id", "ap-new", "score", 3.5)
			for _, r := range a.Data[1:] {
				if r["score"].(float64) > 1 {
					t.Errorf("%v is no outlier", r)
				}
			}
		}},
		"percentiles-by-day": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "day", "2026-11-15", "samples=10080 fps_p05=58")
			wantFalling(t, answer{Data: []map[string]any{a.row("day", "2026-11-18"), a.row("day", "2026-11-19"), a.row("day", "2026-11-20")}}, "fps_p05")
		}},
		"entities-against-fps": {check: func(t *testing.T, a answer) {
			wantRow(t, answer{Data: a.Data[:1]}, "server_id", "ap-new", "entities_first=20000 growth_per_day=14400")
			if r := a.Data[0]["correlation"].(float64); r > -0.9 {
				t.Errorf("correlation %v", r)
			}
			if r := a.row("server_id", "us-gap")["correlation"].(float64); math.Abs(r) > 0.1 {
				t.Errorf("us-gap correlates by %v", r)
			}
		}},
		"cost-per-player": {check: func(t *testing.T, a answer) {
			if a.Data[0]["server_id"] != "ap-empty" {
				t.Errorf("the dearest is %v", a.Data[0])
			}
		}},
		"network-traffic": {check: func(t *testing.T, a answer) {
			if a.Data[0]["server_id"] != "eu-main" {
				t.Errorf("the busiest is %v", a.Data[0])
			}
			// ap-empty sends 9000 + 12000 x 4 bytes/s on average for a day.
			if got := a.row("server_id", "ap-empty")["gib_out"].(float64); math.Abs(got-57000*86400/math.Pow(1024, 3)) > 0.1 {
				t.Errorf("ap-empty sent %v GiB", got)
			}
		}},
		"custom-metrics": {check: func(t *testing.T, a answer) {
			wantValues(t, a, "metric", "oxide.hook_ms.Loot", "oxide.hook_ms.Kits", "saves")
			wantRow(t, a, "metric", "oxide.hook_ms.Loot", "servers=8 before=2 min=2 max=6")
			wantMore(t, a, "metric", "oxide.hook_ms.Loot", "change_percent", 20)
		}},
		"metric-ranking": {check: func(t *testing.T, a answer) {
			wantValues(t, a, "metric", "oxide.hook_ms.Loot", "oxide.hook_ms.Kits")
			wantRow(t, a, "metric", "oxide.hook_ms.Loot", "worst=ap-new worst_avg=6")
			wantSum(t, a, "share", 100, 0.2)
		}},
	}
}

func availabilityFindings() map[string]finding {
	return map[string]finding{
		"first-last-seen": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "server_id", "ap-new", "hours=48 samples=2880", "first_minute=2026-11-18 18:00:00")
			wantRow(t, a, "server_id", "us-silent", "peak_players=52", "last_minute=2026-11-20 14:49:00")
		}},
		"uptime": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "server_id", "us-silent", "missed_minutes=190")
			wantRow(t, a, "server_id", "us-gap", "missed_minutes=120")
			wantRow(t, a, "server_id", "eu-crash", "missed_minutes=9")
			wantRow(t, a, "server_id", "ap-new", "minutes_due=2880 uptime_percent=100")
		}},
		"silent-servers": {check: func(t *testing.T, a answer) {
			wantValues(t, a, "server_id", "us-silent")
			wantRow(t, a, "server_id", "us-silent", "silent_minutes=191 last_version=2384.1")
		}},
		"restarts": {check: func(t *testing.T, a answer) {
			wantValues(t, a, "server_id", "eu-crash", "eu-leak", "eu-main")
			wantRow(t, a, "server_id", "eu-crash", "restarts=3 longest_away_s=240 hours_between=8")
			wantRow(t, a, "server_id", "eu-main", "restarts=1", "last_restart=2026-11-14 18:00:00.000")
		}},
		"gaps": {given: map[string]string{"gap_s": "200"}, check: func(t *testing.T, a answer) {
			wantValues(t, a, "server_id", "us-gap", "eu-crash", "eu-crash", "eu-crash")
			wantRow(t, a, "server_id", "us-gap", "gap_s=7260 cause=silence")
			wantRow(t, a, "server_id", "eu-crash", "gap_s=240 cause=restart")
		}},
	}
}

func storageFindings() map[string]finding {
	return map[string]finding{
		"ingest-lag": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "license_id", license, "late_percent=0 ahead=60")
			wantRow(t, a, "license_id", foreign, "lag_p50=90 late_percent=100")
		}},
		"duplicates":   {check: wantNone},
		"rollup-check": {check: wantNone},
		"storage-by-table": {check: func(t *testing.T, a answer) {
			wantMore(t, a, "table", "samples", "bytes_per_row", 1)
			wantRow(t, a, "table", "samples", "rows=162689")
		}},
		"storage-by-column": {check: func(t *testing.T, a answer) {
			wantMore(t, a, "column", "metrics", "bytes", 1)
			wantSum(t, a, "share", 100, 1.5)
		}},
		"storage-by-license": {check: func(t *testing.T, a answer) {
			wantValues(t, a, "license_id", license, foreign)
			wantRow(t, a, "license_id", foreign, "servers=1 samples=288")
		}},
		"samples-by-day": {check: func(t *testing.T, a answer) {
			wantRow(t, a, "day", "2026-11-15", "samples=10080 servers=7 per_server_s=60 late=0")
			wantSum(t, a, "samples", 162401, 0)
		}},
	}
}

// wantRow holds cells of the first row with column = value against "name=value" pairs; the last pairs may have spaces in
// their values and stand alone.
func wantRow(t *testing.T, a answer, column string, value any, pairs ...string) {
	t.Helper()
	r := a.row(column, value)
	if r == nil {
		t.Errorf("no row with %s %v in %v", column, value, a.Data)
		return
	}
	wants := append(strings.Fields(pairs[0]), pairs[1:]...)
	if strings.Count(pairs[0], "=") == 1 {
		wants = pairs
	}
	for _, pair := range wants {
		name, want, _ := strings.Cut(pair, "=")
		if got := fmt.Sprint(r[name]); got != want {
			t.Errorf("%s %v: %s is %s, want %s", column, value, name, got, want)
		}
	}
}

func wantValues(t *testing.T, a answer, column string, want ...string) {
	t.Helper()
	if got := a.values(column); !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", column, got, want)
	}
}

func wantMore(t *testing.T, a answer, column string, value any, name string, least float64) {
	t.Helper()
	if got, ok := a.row(column, value)[name].(float64); !ok || got <= least {
		t.Errorf("%s %v: %s is %v, want more than %v", column, value, name, got, least)
	}
}

func wantSum(t *testing.T, a answer, column string, want, tolerance float64) {
	t.Helper()
	var sum float64
	for _, r := range a.Data {
		f, _ := r[column].(float64)
		sum += f
	}
	if math.Abs(sum-want) > tolerance {
		t.Errorf("%s adds up to %v, want %v", column, sum, want)
	}
}

func wantFalling(t *testing.T, a answer, column string) {
	t.Helper()
	for i := 1; i < len(a.Data); i++ {
		before, after := a.Data[i-1][column].(float64), a.Data[i][column].(float64)
		if after >= before {
			t.Errorf("%s rises from %v to %v", column, before, after)
		}
	}
}

func wantNone(t *testing.T, a answer) {
	t.Helper()
	if len(a.Data) != 0 {
		b, _ := json.Marshal(a.Data[:1])
		t.Errorf("%d rows, the first %s", len(a.Data), b)
	}
}
