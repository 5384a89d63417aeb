package simulate

import (
	"context"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"corrosion/schema"
)

var monday = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

func newNetwork(t testing.TB, seed uint64, servers int, s Schedule) *Network {
	t.Helper()
	n, err := NewNetwork(seed, servers, s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// collect copies what Backfill emits.
func collect(t testing.TB, n *Network, from, to time.Time) []schema.Sample {
	t.Helper()
	var samples []schema.Sample
	err := n.Backfill(context.Background(), from, to, func(s *schema.Sample) error {
		c := *s
		c.Metrics = append([]schema.Metric(nil), s.Metrics...)
		samples = append(samples, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

func TestSamplesAreValid(t *testing.T) {
	samples := collect(t, newNetwork(t, 7, 20, Every(5*time.Minute)), monday, monday.Add(15*24*time.Hour))
	if len(samples) < 20*15*280 {
		t.Fatalf("%d samples", len(samples))
	}
	last := int64(0)
	for i := range samples {
		s := &samples[i]
		if s.TS < last {
			t.Fatalf("sample %d: ts %d after %d", i, s.TS, last)
		}
		last = s.TS
		checkSample(t, s)
	}
}

func checkSample(t *testing.T, s *schema.Sample) {
	t.Helper()
	if !schema.ValidServerID(s.ServerID) || len(s.Map) > schema.MaxTextLen || len(s.Version) > schema.MaxTextLen {
		t.Fatalf("bad text in %+v", s)
	}
	for f := range schema.NumFields {
		if !s.Has(f) {
			t.Fatalf("%v is missing", f)
		}
		switch f.Info().Kind {
		case schema.Uint32:
			if s.Uint(f) > 5_000_000 {
				t.Fatalf("%v = %d", f, s.Uint(f))
			}
		case schema.Float:
			if v := s.Float(f); !(v > 0 && v < 100_000) {
				t.Fatalf("%v = %g", f, v)
			}
		}
	}
	if s.Uint(schema.Players) > s.Uint(schema.MaxPlayers) {
		t.Fatalf("%d players of %d", s.Uint(schema.Players), s.Uint(schema.MaxPlayers))
	}
	if product := s.Float(schema.FPS) * s.Float(schema.FrameMS); product < 900 || product > 1100 {
		t.Fatalf("fps %g and frame_ms %g do not agree", s.Float(schema.FPS), s.Float(schema.FrameMS))
	}
	for _, m := range s.Metrics {
		if !schema.ValidMetricName(m.Name) || m.Value < 0 || math.IsInf(m.Value, 0) || math.IsNaN(m.Value) {
			t.Fatalf("bad metric %+v", m)
		}
	}
}

func TestSameSeedSaysTheSame(t *testing.T) {
	a := collect(t, newNetwork(t, 7, 5, Every(time.Minute)), monday, monday.Add(26*time.Hour))
	b := newNetwork(t, 7, 5, Every(time.Minute))
	// Parts in another order are the same, too.
	late := collect(t, b, monday.Add(13*time.Hour+17*time.Second), monday.Add(26*time.Hour))
	early := collect(t, b, monday, monday.Add(13*time.Hour+17*time.Second))
	if !reflect.DeepEqual(a, append(early, late...)) {
		t.Error("the same stretch made in two parts differs")
	}
	if other := collect(t, newNetwork(t, 8, 5, Every(time.Minute)), monday, monday.Add(time.Hour)); reflect.DeepEqual(other, a[:len(other)]) {
		t.Error("another seed says the same")
	}
}

func TestCounterRestartsWithEachBoot(t *testing.T) {
	cut := monday.Add(36 * time.Hour)
	schedule := Schedule{{Interval: time.Minute}, {From: cut, Interval: 10 * time.Second}}
	samples := collect(t, newNetwork(t, 3, 12, schedule), monday, monday.Add(72*time.Hour))
	last := map[string]schema.Sample{}
	restarts, longest := 0, int64(0)
	for _, s := range samples {
		before, known := last[s.ServerID]
		last[s.ServerID] = s
		switch {
		case !known:
		case before.Boot == s.Boot:
			if s.Uint(schema.N) != before.Uint(schema.N)+1 {
				t.Fatalf("%s: n %d after %d", s.ServerID, s.Uint(schema.N), before.Uint(schema.N))
			}
			if s.Uint(schema.UptimeS) <= before.Uint(schema.UptimeS) {
				t.Fatalf("%s: uptime stands still in one boot", s.ServerID)
			}
		default:
			restarts++
			longest = max(longest, s.TS-before.TS)
			if s.Uint(schema.N) != 0 || s.Uint(schema.UptimeS) > 60 || s.Uint(schema.UptimeS) >= before.Uint(schema.UptimeS) {
				t.Fatalf("%s: boot begins with n %d, uptime %d", s.ServerID, s.Uint(schema.N), s.Uint(schema.UptimeS))
			}
		}
	}
	if restarts < 12*3 || restarts > 12*3+12 {
		t.Errorf("%d restarts of 12 servers in three days", restarts)
	}
	if longest < 50_000 || longest > 600_000 {
		t.Errorf("longest gap at a restart %d ms", longest)
	}
}

func TestDaysHaveEvenings(t *testing.T) {
	n := newNetwork(t, 1, 30, Every(10*time.Minute))
	hours := map[string]*[24][2]float64{}
	for _, s := range collect(t, n, monday, monday.Add(28*24*time.Hour)) {
		if hours[s.ServerID] == nil {
			hours[s.ServerID] = new([24][2]float64)
		}
		h := time.UnixMilli(s.TS).UTC().Hour()
		hours[s.ServerID][h][0] += s.Number(schema.Players)
		hours[s.ServerID][h][1]++
	}
	for i := range n.servers {
		v := &n.servers[i]
		mean := func(localHour int) float64 {
			cell := hours[v.id][(localHour-int(v.zone/int64(time.Hour))+48)%24]
			return cell[0] / cell[1]
		}
		if mean(20) < 1.8*mean(5) {
			t.Errorf("%s: %.1f players at 20:00 local, %.1f at 5:00", v.id, mean(20), mean(5))
		}
	}
}

func TestWipesStartOver(t *testing.T) {
	n := newNetwork(t, 1, 10, Every(3*time.Minute))
	before := map[string]schema.Sample{}
	wipes := map[string]int{}
	for _, s := range collect(t, n, monday, monday.Add(42*24*time.Hour)) {
		last, known := before[s.ServerID]
		before[s.ServerID] = s
		if !known || last.Map == s.Map {
			continue
		}
		wipes[s.ServerID]++
		if last.Boot == s.Boot {
			t.Errorf("%s: map changed without a restart", s.ServerID)
		}
		if s.Uint(schema.Sleepers) > 20 || s.Uint(schema.Entities) >= last.Uint(schema.Entities) {
			t.Errorf("%s: after a wipe %d sleepers, entities %d to %d", s.ServerID, s.Uint(schema.Sleepers), last.Uint(schema.Entities), s.Uint(schema.Entities))
		}
	}
	want := map[wipeRhythm]int{weekly: 6, fortnightly: 3, monthly: 1}
	for i := range n.servers {
		if got := wipes[n.servers[i].id]; got < want[n.servers[i].rhythm] || got > want[n.servers[i].rhythm]+1 {
			t.Errorf("%s: %d wipes in six weeks, want about %d", n.servers[i].id, got, want[n.servers[i].rhythm])
		}
	}
}

func TestLifeOfANetwork(t *testing.T) {
	var spikes, queued, joining, full int
	versions := map[string]bool{}
	samples := collect(t, newNetwork(t, 1, 50, Every(7*time.Minute)), monday, monday.Add(30*24*time.Hour))
	for i := range samples {
		s := &samples[i]
		versions[s.Version] = true
		if s.Float(schema.FPS) < 15 {
			spikes++
		}
		if s.Uint(schema.Queued) > 0 {
			queued++
		}
		if s.Uint(schema.Joining) > 0 {
			joining++
		}
		if s.Uint(schema.Players) == s.Uint(schema.MaxPlayers) {
			full++
		}
	}
	within := func(name string, got int, lo, hi float64) {
		if share := float64(got) / float64(len(samples)); share < lo || share > hi {
			t.Errorf("%s in %.2f %% of the samples, want %.2f to %.2f", name, 100*share, 100*lo, 100*hi)
		}
	}
	within("lag", spikes, 0.0005, 0.03)
	within("queue", queued, 0.005, 0.15)
	within("joining", joining, 0.02, 0.5)
	within("full", full, 0.005, 0.15)
	if len(versions) < 2 || len(versions) > 5 {
		t.Errorf("versions in a month: %v", versions)
	}
}

func TestScheduleCountsWhatItWalks(t *testing.T) {
	cut, end := monday.Add(time.Hour+7*time.Second), monday.Add(2*time.Hour+3*time.Second)
	n := newNetwork(t, 1, 7, Schedule{{Interval: time.Minute}, {From: cut, Interval: 10 * time.Second}, {From: end, Interval: time.Minute}})
	for _, from := range []time.Duration{0, time.Second, 61 * time.Minute, 90 * time.Minute, 121 * time.Minute} {
		walked := uint64(0)
		start, stop := monday.Add(from), monday.Add(from+75*time.Minute+time.Second)
		n.grid.walk(7, start.UnixNano(), stop.UnixNano(), func(int, int64) bool { walked++; return true })
		if due := n.Due(start, stop); due != walked {
			t.Errorf("from %v: %d due, %d walked", from, due, walked)
		}
	}
}

func TestNetworkRefuses(t *testing.T) {
	f := func(servers int, s Schedule) {
		t.Helper()
		if _, err := NewNetwork(1, servers, s); err == nil {
			t.Errorf("%d servers, schedule %v: no error", servers, s)
		}
	}
	f(0, Every(time.Second))
	f(1, nil)
	f(1, Every(0))
	f(1, Schedule{{Interval: time.Second}, {Interval: time.Second}})
}

func TestBackfillEnds(t *testing.T) {
	n := newNetwork(t, 1, 3, Every(time.Second))
	stop := errors.New("enough")
	if err := n.Backfill(t.Context(), monday, monday.Add(time.Hour), func(*schema.Sample) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("emit's error: got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if err := n.Backfill(ctx, monday, monday.Add(time.Hour), func(*schema.Sample) error { return nil }); !errors.Is(err, stop) {
		t.Errorf("context's error: got %v", err)
	}
}
