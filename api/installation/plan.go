package installation

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// RolloutStatus is how far a rollout is.
type RolloutStatus string

// The states of a rollout. Stopped ended on failures and leaves what is installed; rolled back took everything back.
const (
	Running     RolloutStatus = "running"
	Paused      RolloutStatus = "paused"
	Done        RolloutStatus = "done"
	Stopped     RolloutStatus = "stopped"
	Withdrawn   RolloutStatus = "cancelled"
	RollingBack RolloutStatus = "rolling-back"
	RolledBack  RolloutStatus = "rolled-back"
)

// Over tells whether nothing more happens.
func (s RolloutStatus) Over() bool {
	return s == Done || s == Stopped || s == Withdrawn || s == RolledBack
}

// Guard watches the frames per second of the servers that got the module.
type Guard struct {
	// DropPercent is how far their median may fall against the time before; if that of the others falls as far, it is not
	// the module's doing.
	DropPercent float64 `json:"drop_percent"`
	// Baseline is how long before the rollout is compared with, seconds.
	BaselineS int `json:"baseline_s"`
	// MinSamples is how many samples the time after must have before it counts.
	MinSamples int `json:"min_samples"`
}

// Measures are medians of frames per second; NaN where there is too little to tell.
type Measures struct {
	TreatedBefore, TreatedAfter, OthersBefore, OthersAfter float64
	// Samples are those of the time after, of the servers that got it.
	Samples uint64
}

// Judge tells whether the guard is broken, in words, and whether enough was measured to tell at all.
func (g Guard) Judge(m Measures) (broken string, known bool) {
	if m.Samples < uint64(g.MinSamples) || math.IsNaN(m.TreatedAfter) || math.IsNaN(m.TreatedBefore) || m.TreatedBefore <= 0 {
		return "", false
	}
	fell := drop(m.TreatedBefore, m.TreatedAfter)
	if fell <= g.DropPercent {
		return "", true
	}
	others := drop(m.OthersBefore, m.OthersAfter) // NaN where there are none: then the servers' own past decides
	if others > g.DropPercent {
		return "", true
	}
	text := fmt.Sprintf("fps p50 of the servers that got it fell by %.0f %% (from %.1f to %.1f)", fell, m.TreatedBefore, m.TreatedAfter)
	if !math.IsNaN(others) {
		text += fmt.Sprintf(", of the others by %.0f %%", max(others, 0))
	}
	return text, true
}

func drop(before, after float64) float64 {
	if math.IsNaN(before) || math.IsNaN(after) || before <= 0 {
		return math.NaN()
	}
	return 100 * (before - after) / before
}

// target is one server of a rollout as it stands.
type target struct {
	server  string
	batch   int
	status  Status // of its installation; "" = not asked for
	failure string // why nothing could be asked for
	// before tells that a version was there that can be put back.
	before      bool
	installedAt *time.Time
	undo        Status // of what takes it back; "" = not asked for
	undone      bool   // nothing is left to take back
}

func (t target) failed() bool {
	return t.failure != "" || t.status == Failed || t.status == Cancelled || t.status == Uninstalled
}

func (t target) settled() bool { return t.failed() || t.status == Installed }

// rollout is where one stands.
type rollout struct {
	status      RolloutStatus
	batch       int // the one that is out, -1 = none
	batchDone   *time.Time
	pause       time.Duration
	maxFailures int
	targets     []target
}

// step is what is to be done now.
type step struct {
	status  RolloutStatus
	reason  string
	batch   int
	install []string // servers to ask for it
	undo    []string // servers to take it back from
	done    *time.Time
	// judge asks for the guard to be looked at before anything else goes on.
	judge bool
	wait  time.Duration
}

// look is how often a rollout is looked at while it waits for agents.
const look = 2 * time.Second

// next decides what a rollout does at now, pure. judged tells that the guard has been looked at and holds, or is none.
func (r rollout) next(now time.Time, judged bool) step {
	s := step{status: r.status, batch: r.batch, done: r.batchDone, wait: look}
	if r.status == RollingBack {
		return r.back(s)
	}
	failures, open, left := 0, 0, false
	for _, t := range r.targets {
		switch {
		case t.batch > r.batch:
			left = true
		case t.failed():
			failures++
		case !t.settled():
			open++
		}
	}
	switch {
	case failures >= r.maxFailures:
		s.status, s.reason = Stopped, fmt.Sprintf("%d servers failed", failures)
		return s
	case !judged:
		s.judge = true
		return s
	case r.batch >= 0 && open > 0:
		return s
	case r.batch >= 0 && r.batchDone == nil:
		s.done = &now
		return s
	case r.batchDone != nil && now.Before(r.batchDone.Add(r.pause)):
		s.wait = min(look, r.batchDone.Add(r.pause).Sub(now))
		return s
	case !left:
		s.status, s.reason = Done, fmt.Sprintf("%d servers have it, %d failed", len(r.targets)-failures, failures)
		return s
	}
	s.batch, s.done = r.batch+1, nil
	for _, t := range r.targets {
		if t.batch == s.batch && t.status == "" && t.failure == "" {
			s.install = append(s.install, t.server)
		}
	}
	return s
}

// patience is how long a batch waits beyond its pause for a guard that cannot tell yet.
const patience = 10 * time.Minute

// unknown keeps the next batch back while the guard cannot tell, and asks people where it cannot for long.
func (r rollout) unknown(s step, now time.Time) step {
	goesOn := s.batch != r.batch || s.status == Done
	if !goesOn {
		return s
	}
	s = step{status: Running, batch: r.batch, done: r.batchDone, wait: look}
	if r.batchDone != nil && now.After(r.batchDone.Add(r.pause+patience)) {
		s.status, s.reason = Paused, "the guard cannot tell: the servers that got it have sent too few samples, before or since"
	}
	return s
}

// back takes it from every server that has it or may come to have it.
func (r rollout) back(s step) step {
	waiting, stuck := false, 0
	for _, t := range r.targets {
		switch {
		case t.status == "" || t.undone || t.status == Cancelled || t.status == Uninstalled:
		case t.undo == "":
			s.undo = append(s.undo, t.server)
			waiting = true
		case t.undo.Open():
			waiting = true
		case t.undo == Failed || t.undo == Cancelled:
			stuck++
		}
	}
	switch {
	case waiting:
	case stuck > 0:
		s.status, s.reason = Stopped, fmt.Sprintf("%d servers could not be taken back: retry their installations", stuck)
	default:
		s.status = RolledBack
	}
	return s
}

// treated are the servers that have it, and since when the last of them has.
func (r rollout) treated() (servers []string, since time.Time) {
	for _, t := range r.targets {
		if t.status == Installed && t.installedAt != nil {
			servers = append(servers, t.server)
			if t.installedAt.After(since) {
				since = *t.installedAt
			}
		}
	}
	slices.Sort(servers)
	return servers, since
}
