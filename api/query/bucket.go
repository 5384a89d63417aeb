package query

import "time"

// grid lays bucket edges over time: multiples of step since the epoch, counted in the zone's local time.
// All times in it are ms since the epoch.
type grid struct {
	step int64
	zone *time.Location
}

func newGrid(step time.Duration, zone *time.Location) grid {
	return grid{step: step.Milliseconds(), zone: zone}
}

// offset is the zone's distance from UTC at t.
func (g grid) offset(t int64) int64 {
	_, seconds := time.UnixMilli(t).In(g.zone).Zone()
	return int64(seconds) * 1000
}

// floor is the last edge at or before t.
func (g grid) floor(t int64) int64 {
	offset := g.offset(t)
	k := floorDiv(t+offset, g.step)
	edge, start := k*g.step-offset, g.start(k)
	if (edge-start)%g.step == 0 {
		return edge
	}
	return start
}

// next is the first edge after edge.
func (g grid) next(edge int64) int64 {
	offset, after := g.offset(edge), edge+g.step
	if (edge+offset)%g.step == 0 && g.continues(offset, g.offset(after)) {
		return after
	}
	for k := floorDiv(edge+offset, g.step) + 1; ; k++ {
		if start := g.start(k); start > edge {
			return start
		}
	}
}

// continues tells whether edges run on evenly from one offset to another: a clock that is put back an hour leaves steps
// of an hour or a half alone (the day has 25 of them), but makes one longer step of two hours, or of a day.
func (g grid) continues(before, after int64) bool { return (after-before)%g.step == 0 }

// start is the first moment at which the local time is k steps or more: where the clock is put forward over it, the
// moment of the change.
func (g grid) start(k int64) int64 {
	const margin = int64(26 * time.Hour / time.Millisecond)
	local := k * g.step
	before, after := g.offset(local-margin), g.offset(local+margin)
	if t := local - before; g.offset(t) == before {
		return t
	}
	if t := local - after; g.offset(t) == after {
		return t
	}
	change, _ := time.UnixMilli(local - before).In(g.zone).ZoneBounds()
	return change.UnixMilli()
}

// edges are the starts of the buckets that cover [from, to), and the end of the last one. It returns nil when there
// would be more than most buckets.
func (g grid) edges(from, to int64, most int) []int64 {
	if (to-from)/g.step > int64(most)+2 {
		return nil
	}
	edges := []int64{g.floor(from)}
	for edges[len(edges)-1] < to {
		if len(edges) > most {
			return nil
		}
		edges = append(edges, g.next(edges[len(edges)-1]))
	}
	return edges
}

// hourEdges are edges moved up to whole UTC hours, which is all that hours can tell apart: in Kolkata a day starts half
// an hour late, and still bears its own date. from and to are whole hours.
func (g grid) hourEdges(from, to int64, most int) []int64 {
	start := g.floor(from)
	for ceilHour(start) > from {
		start = g.floor(start - 1)
	}
	edges := g.edges(start, to, most+2)
	if edges == nil {
		return nil
	}
	whole := edges[:0]
	for _, edge := range edges {
		edge = ceilHour(edge)
		switch last := len(whole) - 1; {
		case last >= 0 && edge == whole[last]: // two edges within one hour: the clock changed by less than an hour
		case last >= 0 && edge <= from:
			whole[last] = edge
		default:
			whole = append(whole, edge)
		}
	}
	for len(whole) > 2 && whole[len(whole)-2] >= to {
		whole = whole[:len(whole)-1]
	}
	if len(whole) > most+1 {
		return nil
	}
	return whole
}

const hourMillis = int64(time.Hour / time.Millisecond)

func ceilHour(t int64) int64 { return -floorDiv(-t, hourMillis) * hourMillis }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// multiples tells whether every edge is a multiple of unit ms since the epoch.
func multiples(edges []int64, unit int64) bool {
	for _, edge := range edges {
		if edge%unit != 0 {
			return false
		}
	}
	return true
}

// even tells whether all buckets are as wide as step ms.
func even(edges []int64, step int64) bool {
	for i := 1; i < len(edges); i++ {
		if edges[i]-edges[i-1] != step {
			return false
		}
	}
	return true
}
