package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
)

const (
	// coverFrom is the shortest stretch of raw for which a license's own rollups are looked at; less is quicker read as it is.
	coverFrom = 20 * time.Minute
	// maxGaps bounds how many stretches a statement leaves out; the nearest are joined beyond it.
	maxGaps = 12
)

// gap is a stretch [From, To), ms since the epoch, that a rollup may not answer; Index names its parameters.
type gap struct {
	Index    int
	From, To int64
}

// coverage says what the rollups of a whole license may answer. The zero value covers nothing: all is read from the
// servers' rows.
type coverage struct {
	whole bool
	// samples are about how many the range holds, counted by whole hours.
	samples uint64
	// bodyFrom and bodyTo are the whole minutes of the raw part, ms.
	bodyFrom, bodyTo int64
	// live and totals are gaps in the minutes' states and in the minutes' totals; the cut minutes at both ends are gaps.
	live, totals []gap
	// liveHours and totalHours are the same for hours.
	liveHours, totalHours []gap
	// elsewhere are the stretches that minutes' states do not answer: live, and what hours do instead.
	elsewhere []gap
	// staleHours are the hours that license_hourly may not answer, ms.
	staleHours []int64
	// known are the servers' days that are true; parts lays out a summary over them.
	known []dayRows
	parts dayParts
	// named are the stretches that hold the hours of restarts that only samples tell.
	named []gap
}

// stale is what ClickHouse says about rollups, ms since the epoch.
type stale struct {
	samples                                              uint64
	minutelyHours, hourlyHours, totalMinutes, totalHours []int64
	// days, builds and daySamples describe the servers' days that are true.
	days       []int64
	builds     [][]int64
	daySamples []uint64
}

// spans are the parts of an answer: hours fill [hourFrom, cut), raw and minutes fill [cut, to).
type spans struct {
	hourFrom, cut, to time.Time
	// checkFrom is from where rows are compared with the servers' hours: older ones change no more.
	checkFrom time.Time
	// daysFrom and daysTo are the servers' days of use; zero: none.
	daysFrom, daysTo time.Time
}

// cover asks whether the rollups of the whole license may be read, and where not. Chosen servers have none.
func (e *Engine) cover(ctx context.Context, s Scope, p spans) (coverage, error) {
	if s.chosen() || p.to.Sub(p.cut) < coverFrom && !p.hourFrom.Before(p.cut) {
		return coverage{}, nil
	}
	var found stale
	err := e.run.query(ctx, coverageStatement(s, p), func(rows driver.Rows) error {
		return rows.Scan(&found.samples, &found.minutelyHours, &found.hourlyHours, &found.totalMinutes, &found.totalHours, &found.days, &found.builds, &found.daySamples)
	})
	if err != nil {
		return coverage{}, err
	}
	return newCoverage(p, found), nil
}

func coverageStatement(s Scope, p spans) statement {
	from, to := p.body()
	check := p.hourFrom
	if p.checkFrom.After(check) {
		check = p.checkFrom
	}
	args := append(s.arguments(), hourRange(p.hourFrom, p.cut)...)
	args = append(args, clickhouse.Named("body_from", from/1000), clickhouse.Named("body_to", to/1000),
		clickhouse.Named("check_from", schema.FloorHour(check).Unix()), clickhouse.Named("check_to", schema.CeilHour(p.to).Unix()))
	if !p.daysTo.IsZero() {
		args = append(args, clickhouse.Named("days_from", p.daysFrom.Unix()), clickhouse.Named("days_to", p.daysTo.Unix()))
	}
	return newStatement("coverage", composition{Days: !p.daysTo.IsZero(), Hours: p.hourFrom.Before(p.cut)}, args)
}

// body is the whole minutes of the raw part; empty where it holds none.
func (p spans) body() (from, to int64) {
	from, to = -floorDiv(-p.cut.UnixMilli(), minute)*minute, floorDiv(p.to.UnixMilli(), minute)*minute
	return from, max(from, to)
}

const minute = int64(time.Minute / time.Millisecond)

// newCoverage is pure: it makes gaps of what is stale.
func newCoverage(p spans, s stale) coverage {
	c := coverage{whole: true, samples: s.samples}
	c.bodyFrom, c.bodyTo = p.body()
	cut, to := p.cut.UnixMilli(), p.to.UnixMilli()
	edges := []gap{{From: cut, To: min(c.bodyFrom, to)}, {From: max(c.bodyTo, cut), To: to}}
	live := slices.Concat(edges, stretches(s.minutelyHours, hourMillis))
	c.totals = joinGaps(slices.Concat(live, stretches(s.totalMinutes, minute)), cut, to)
	c.live = joinGaps(live, cut, to)
	c.elsewhere, c.staleHours = c.live, s.hourlyHours
	c.liveHours = joinGaps(stretches(s.hourlyHours, hourMillis), p.hourFrom.UnixMilli(), cut)
	c.totalHours = joinGaps(slices.Concat(stretches(s.hourlyHours, hourMillis), stretches(s.totalHours, hourMillis)), p.hourFrom.UnixMilli(), cut)
	for i, at := range s.days { // a day with an hour that differs from the servers' hours is not to be trusted
		if !slices.ContainsFunc(s.hourlyHours, func(hour int64) bool { return at <= hour && hour < at+dayMillis }) {
			c.known = append(c.known, dayRows{at, s.builds[i], s.daySamples[i]})
		}
	}
	return c
}

// byHours lets hours answer [from, to), of whole hours, in the place of minutes.
func (c coverage) byHours(from, to int64) coverage {
	var edges []gap
	for _, g := range c.live {
		edges = append(edges, gap{From: g.From, To: min(g.To, from)}, gap{From: max(g.From, to), To: g.To})
	}
	c.live = joinGaps(edges, math.MinInt64, math.MaxInt64)
	c.elsewhere = joinGaps(append(edges, gap{From: from, To: to}), math.MinInt64, math.MaxInt64)
	c.liveHours = joinGaps(stretches(c.staleHours, hourMillis), from, to)
	return c
}

func stretches(starts []int64, width int64) []gap {
	gaps := make([]gap, len(starts))
	for i, start := range starts {
		gaps[i] = gap{From: start, To: start + width}
	}
	return gaps
}

// joinGaps cuts gaps to [from, to), joins those that touch, and joins the nearest until there are at most maxGaps.
func joinGaps(gaps []gap, from, to int64) (joined []gap) {
	gaps = slices.Clone(gaps)
	slices.SortFunc(gaps, func(a, b gap) int { return int(a.From - b.From) })
	for _, g := range gaps {
		g.From, g.To = max(g.From, from), min(g.To, to)
		switch last := len(joined) - 1; {
		case g.From >= g.To:
		case last >= 0 && g.From <= joined[last].To:
			joined[last].To = max(joined[last].To, g.To)
		default:
			joined = append(joined, g)
		}
	}
	for len(joined) > maxGaps {
		nearest := 1
		for i := 2; i < len(joined); i++ {
			if joined[i].From-joined[i-1].To < joined[nearest].From-joined[nearest-1].To {
				nearest = i
			}
		}
		joined[nearest-1].To = joined[nearest].To
		joined = slices.Delete(joined, nearest, nearest+1)
	}
	for i := range joined {
		joined[i].Index = i
	}
	return joined
}

// arguments name every gap; a statement uses those that it speaks of.
func (c coverage) arguments() (args []any) {
	if !c.whole {
		return nil
	}
	args = c.boundsOf("live", "totals", "live_hours", "total_hours", "elsewhere")
	return append(args, clickhouse.Named("body_from", c.bodyFrom/1000), clickhouse.Named("body_to", c.bodyTo/1000))
}

// boundsOf name the gaps of some kinds.
func (c coverage) boundsOf(kinds ...string) (args []any) {
	for _, kind := range kinds {
		for _, g := range c.gaps(kind) {
			args = append(args, clickhouse.Named(fmt.Sprintf("%s%d_from", kind, g.Index), g.From), clickhouse.Named(fmt.Sprintf("%s%d_to", kind, g.Index), g.To))
		}
	}
	return args
}

// Whole tells whether the license's own rollups are read.
func (c coverage) Whole() bool { return c.whole }

// Within is the condition that a column of times lies in one of the gaps of a kind; indexes can use it.
func (c coverage) Within(kind, column string) (text string) {
	bound := "fromUnixTimestamp64Milli({%s%d_%s:Int64}, 'UTC')"
	for i, g := range c.gaps(kind) {
		if i > 0 {
			text += " OR "
		}
		text += column + " >= " + fmt.Sprintf(bound, kind, g.Index, "from") + " AND " + column + " < " + fmt.Sprintf(bound, kind, g.Index, "to")
	}
	if text == "" {
		return "0"
	}
	return "(" + text + ")"
}

// Any tells whether there are gaps of a kind.
func (c coverage) Any(kind string) bool { return len(c.gaps(kind)) > 0 }

func (c coverage) gaps(kind string) []gap {
	switch kind {
	case "live":
		return c.live
	case "totals":
		return c.totals
	case "live_hours":
		return c.liveHours
	case "elsewhere":
		return c.elsewhere
	case "hours":
		return c.parts.hours
	case "restart_hours":
		return c.parts.restartHours
	case "named":
		return c.named
	default:
		return c.totalHours
	}
}
