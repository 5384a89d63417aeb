package simulate

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"corrosion/ingest/publish"
	"corrosion/schema"
)

func TestLiveContinuesBackfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		schedule := Schedule{{Interval: time.Minute}, {From: start.Add(-time.Hour), Interval: 10 * time.Second}}
		n := newNetwork(t, 5, 4, schedule)
		got := collect(t, n, start.Add(-3*time.Hour), start)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour-time.Second)
		defer cancel()
		err := n.Live(ctx, start, func(s *schema.Sample) error {
			if late := time.Since(time.UnixMilli(s.TS)); late < 0 || late > 20*time.Millisecond {
				t.Fatalf("sample of %v emitted %v late", s.TS, late)
			}
			c := *s
			c.Metrics = append([]schema.Metric(nil), s.Metrics...)
			got = append(got, c)
			return nil
		}, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		want := collect(t, newNetwork(t, 5, 4, schedule), start.Add(-3*time.Hour), start.Add(2*time.Hour-time.Second))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("backfill and live: %d samples, the whole stretch at once: %d", len(got), len(want))
		}
	})
}

// fakePublisher keeps server, ts, boot and n of what it is given.
type fakePublisher struct {
	mu      sync.Mutex
	samples []key
	counts  publish.Counts
	sends   int
}

type key struct {
	server, boot string
	ts           int64
	n            uint64
}

func (f *fakePublisher) Add(_ context.Context, s *schema.Sample) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.samples = append(f.samples, key{s.ServerID, s.Boot, s.TS, s.Uint(schema.N)})
	f.counts.Sent++
	f.counts.Acked++
	return nil
}

func (f *fakePublisher) Send(context.Context) error { f.sends++; return nil }

func (f *fakePublisher) Flush(context.Context) (publish.Counts, error) { return f.Counts(), nil }

func (f *fakePublisher) Counts() publish.Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts
}

func TestRunKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{}
		o := DefaultOptions()
		o.Publisher, o.Rate, o.Duration = p, 2000, 10*time.Second
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Acked < 19_900 || r.Acked > 20_010 || r.Rate < 1990 {
			t.Errorf("got %v, want 2000 a second", r)
		}
	})
}

// demo runs the demo network for a while and returns the state that it saved last.
func demo(t *testing.T, length time.Duration, p *fakePublisher, state DemoState) DemoState {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	o := DemoOptions{Publisher: p, State: state, Save: func(s DemoState) error { state = s; return nil }}
	for _, s := range p.samples {
		o.Last = latest(o.Last, time.UnixMilli(s.ts))
	}
	if _, err := Demo(ctx, o); err != nil {
		t.Fatal(err)
	}
	if len(state.Pending) != 0 {
		t.Errorf("still pending: %v", state.Pending)
	}
	return state
}

func TestDemoFillsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{}
		start := time.Now()
		state := demo(t, time.Hour, p, DemoState{})
		if n := len(p.samples); n < 2_480_000 || n > 2_580_000 {
			t.Errorf("%d samples at first", n)
		}
		time.Sleep(3 * time.Hour)
		state = demo(t, time.Minute, p, state)
		time.Sleep(40 * time.Hour)
		demo(t, time.Minute, p, state)
		checkOnce(t, p.samples, start.Add(-DemoHistory), time.Now())
	})
}

// checkOnce checks that no sample is missing or came twice, by time and by counter, and that no server was silent long.
func checkOnce(t *testing.T, samples []key, from, to time.Time) {
	t.Helper()
	slices.SortFunc(samples, func(a, b key) int {
		return cmp.Or(strings.Compare(a.server, b.server), cmp.Compare(a.ts, b.ts))
	})
	minutes := 1
	for i, s := range samples[1:] {
		before := samples[i]
		if s.server == before.server && s.ts == before.ts || s.boot == before.boot && s.n != before.n+1 {
			t.Fatalf("%+v follows %+v", s, before)
		}
		if s.server != before.server || s.ts/60_000 != before.ts/60_000 {
			minutes++
		}
	}
	want := float64(DemoServers) * to.Sub(from).Minutes()
	if share := float64(minutes) / want; share < 0.99 {
		t.Errorf("%.2f %% of the minutes have a sample", 100*share)
	}
}

func TestDemoGoesOnWhereItWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{}
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var state DemoState
		saves := 0
		o := DemoOptions{Publisher: p, Save: func(s DemoState) error {
			if state = s; saves == 7 {
				cancel()
			}
			saves++
			return nil
		}}
		if _, err := Demo(ctx, o); err != nil {
			t.Fatal(err)
		}
		if len(state.Pending) != 1 || saves != 8 {
			t.Fatalf("stopped after 7 chunks: %d saves, pending %v", saves, state.Pending)
		}
		time.Sleep(time.Minute)
		demo(t, time.Minute, p, state)
		checkOnce(t, p.samples, start.Add(-DemoHistory), time.Now())
	})
}

func TestOptionsRefuse(t *testing.T) {
	f := func(change func(*Options)) {
		t.Helper()
		o := DefaultOptions()
		o.Publisher = &fakePublisher{}
		change(&o)
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	f(func(o *Options) { o.Servers = 0 })
	f(func(o *Options) { o.Rate = -1 })
	f(func(o *Options) { o.Interval = 0 })
	f(func(o *Options) { o.Duration = -time.Second })
	f(func(o *Options) { o.Publisher = nil })
}
