package installation

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestGuard(t *testing.T) {
	g := Guard{DropPercent: 20, BaselineS: 3600, MinSamples: 30}
	f := func(name string, m Measures, broken, known bool) {
		t.Helper()
		text, can := g.Judge(m)
		if (text != "") != broken || can != known {
			t.Errorf("%s: %q, known %v", name, text, can)
		}
	}
	none := math.NaN()
	f("as before", Measures{60, 59, 60, 60, 100}, false, true)
	f("slower", Measures{60, 40, 60, 59, 100}, true, true)
	f("just within", Measures{60, 48, 60, 60, 100}, false, true)
	f("all are slower", Measures{60, 40, 60, 41, 100}, false, true)
	f("no others", Measures{60, 40, none, none, 100}, true, true)
	f("too few samples", Measures{60, 10, 60, 60, 29}, false, false)
	f("nothing before", Measures{none, 40, 60, 60, 100}, false, false)
}

func TestRolloutNext(t *testing.T) {
	now := begin
	r := rollout{status: Running, batch: -1, pause: time.Minute, maxFailures: 2, targets: []target{
		{server: "a", batch: 0}, {server: "b", batch: 0}, {server: "c", batch: 1},
	}}
	want := func(name string, s step, status RolloutStatus, batch int, install string) {
		t.Helper()
		if s.status != status || s.batch != batch || strings.Join(s.install, " ") != install {
			t.Errorf("%s: %+v", name, s)
		}
	}
	want("first", r.next(now, true), Running, 0, "a b")
	r.batch, r.targets[0].status, r.targets[1].status = 0, Installed, Downloading
	want("one is under way", r.next(now, true), Running, 0, "")
	r.targets[1].status = Failed
	done := r.next(now, true)
	if done.done == nil {
		t.Errorf("the batch is complete: %+v", done)
	}
	r.batchDone = done.done
	want("pausing", r.next(now.Add(59*time.Second), true), Running, 0, "")
	if s := r.next(now, false); !s.judge {
		t.Errorf("the guard is not asked for: %+v", s)
	}
	next := r.next(now.Add(time.Minute), true)
	want("second", next, Running, 1, "c")
	want("the guard cannot tell", r.unknown(next, now.Add(time.Minute)), Running, 0, "")
	want("for long", r.unknown(next, now.Add(time.Hour)), Paused, 0, "")
	r.targets[0].status = Failed
	want("failures", r.next(now.Add(time.Minute), true), Stopped, 0, "")
	r.targets[0].status, r.batch, r.targets[2].status = Installed, 1, Installed
	want("the end", r.next(now.Add(time.Hour), true), Done, 1, "")

	r.status = RollingBack
	back := r.next(now, true)
	if strings.Join(back.undo, " ") != "a b c" || back.status != RollingBack {
		t.Errorf("back: %+v", back)
	}
	for i := range r.targets {
		r.targets[i].undone = true
	}
	want("all is back", r.next(now, true), RolledBack, 1, "")
}

func TestCompareVersions(t *testing.T) {
	f := func(a, b string, want int) {
		t.Helper()
		if got := compareVersions(a, b); (got > 0) != (want > 0) || (got < 0) != (want < 0) {
			t.Errorf("%s and %s: %d", a, b, got)
		}
	}
	f("1.0.0", "1.0.0", 0)
	f("1.10.0", "1.9.9", 1)
	f("0.0.0", "1.0", -1)
	f("2", "2.0.0", 0)
}
