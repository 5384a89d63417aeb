package simulate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Segment says that from From on every server measures once an Interval, until the next segment.
type Segment struct {
	From     time.Time     `json:"from"`
	Interval time.Duration `json:"interval"` // ns
}

// Schedule is when samples are taken: segments in order of time; the first also holds before its From. Within an
// interval the servers take turns, so that they never all publish at once.
type Schedule []Segment

// Every is a schedule of one interval for all time.
func Every(interval time.Duration) Schedule { return Schedule{{Interval: interval}} }

// Validate tells what is wrong with s.
func (s Schedule) Validate() error {
	if len(s) == 0 {
		return errors.New("schedule has no segments")
	}
	for i, segment := range s {
		if segment.Interval <= 0 {
			return fmt.Errorf("schedule segment %d: interval %v must be above 0", i, segment.Interval)
		}
		if i > 0 && !segment.From.After(s[i-1].From) {
			return fmt.Errorf("schedule segment %d: starts at %v, not after its predecessor", i, segment.From)
		}
	}
	return nil
}

// grid is a schedule in ns, ready for arithmetic. Server i of n is due at k·step + i·turn.
type grid struct {
	segments []gridSegment
	turn     int64 // ns between two servers
}

type gridSegment struct{ from, to, step int64 }

func newGrid(s Schedule, servers int) grid {
	g := grid{segments: make([]gridSegment, len(s))}
	shortest := slices.MinFunc(s, func(a, b Segment) int { return int(a.Interval - b.Interval) }).Interval
	g.turn = int64(shortest) / int64(servers)
	for i, segment := range s {
		g.segments[i] = gridSegment{from: segment.From.UnixNano(), to: math.MaxInt64, step: int64(segment.Interval)}
		if i > 0 {
			g.segments[i-1].to = g.segments[i].from
		}
	}
	g.segments[0].from = math.MinInt64
	return g
}

// count is how many times in [from, to) the server is due.
func (g grid) count(server int, from, to int64) uint64 {
	offset := int64(server) * g.turn
	var n int64
	for _, s := range g.segments {
		lo, hi := max(from, s.from), min(to, s.to)
		if lo < hi {
			n += ceilDiv(hi-offset, s.step) - ceilDiv(lo-offset, s.step)
		}
	}
	return uint64(n)
}

// walk calls visit for each moment of [from, to) at which a server is due, in order of time, until visit says false.
func (g grid) walk(servers int, from, to int64, visit func(server int, t int64) bool) {
	for _, s := range g.segments {
		lo, hi := max(from, s.from), min(to, s.to)
		if lo >= hi {
			continue
		}
		for base := floorDiv(lo, s.step) * s.step; base < hi; base += s.step {
			if !visitRound(g.turn, servers, base, lo, hi, visit) {
				return
			}
		}
	}
}

// visitRound visits the servers due in one interval, which starts at base.
func visitRound(turn int64, servers int, base, lo, hi int64, visit func(server int, t int64) bool) bool {
	for i := range servers {
		t := base + int64(i)*turn
		if t >= lo && t < hi && !visit(i, t) {
			return false
		}
	}
	return true
}
