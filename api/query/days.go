package query

import (
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"corrosion/schema"
)

const dayMillis = 24 * hourMillis

// dayRows are the rows of one UTC day in server_daily that were computed at once, and found true.
type dayRows struct {
	// day is the day's start, ms since the epoch; samples are how many it was computed from.
	day int64
	// marks say when each shard computed its servers' rows: ms * 1000 + shard.
	marks   []int64
	samples uint64
}

// daySpan says which days may be asked for: those of the range and of the week before it, whose last hours tell whether a server's
// first hour of the range began with a restart. Days that are not over have no rows.
func (p summaryPlan) daySpan() (from, to time.Time) {
	return schema.FloorHour(p.From).Add(-restartLookback).Truncate(day), p.To
}

// dayParts says what of a summary comes from the servers' days.
type dayParts struct {
	// rows are in order of time; those from counted on lie within the range, the others before it.
	rows    []dayRows
	counted int64
	// samples are those of the days within the range.
	samples uint64
	// hours are the stretches of the range that come from hours, and restartHours the same with the week before.
	hours, restartHours []gap
}

// parts lays out a summary over hours from hourFrom on and days. It is pure. Days that are no part of any stretch are read as a whole.
func (p summaryPlan) parts(known []dayRows, hourFrom time.Time) dayParts {
	hourEnd := schema.CeilHour(p.To)
	if p.source != schema.Hourly && !p.tail() {
		hourEnd = p.hourTo
	}
	from, end := p.From.UnixMilli(), p.To.UnixMilli()
	first, _ := p.daySpan()
	cutDay := p.From.Truncate(day).UnixMilli()
	rows := slices.DeleteFunc(slices.Clone(known), func(d dayRows) bool {
		return d.day+dayMillis > end || d.day < from && d.day >= cutDay || d.day < first.UnixMilli()
	})
	slices.SortFunc(rows, func(a, b dayRows) int { return int(a.day - b.day) })
	parts := dayParts{}
	parts.restartHours = without(rows, max(first.UnixMilli(), schema.FloorHour(p.From).Add(-restartLookback).UnixMilli()), schema.CeilHour(p.To).UnixMilli())
	parts.rows = slices.DeleteFunc(rows, func(d dayRows) bool {
		return slices.ContainsFunc(parts.restartHours, func(g gap) bool { return g.From <= d.day && d.day < g.To })
	})
	for _, d := range parts.rows {
		if d.day >= from {
			parts.samples += d.samples
		}
	}
	parts.counted = from
	parts.hours = joinGaps(parts.restartHours, hourFrom.UnixMilli(), hourEnd.UnixMilli())
	return parts
}

// without is [from, to) less whole days, in a bounded number of stretches, which may hold some of the days after all.
func without(rows []dayRows, from, to int64) []gap {
	var left []gap
	at := from
	for _, d := range rows {
		left = append(left, gap{From: at, To: d.day})
		at = max(at, d.day+dayMillis)
	}
	return joinGaps(append(left, gap{From: at, To: to}), from, to)
}

// tail tells whether the range ends within an hour that hours may answer for servers without later samples.
func (p summaryPlan) tail() bool {
	return p.source != schema.Hourly && p.hourTo.Equal(schema.FloorHour(p.To)) && p.hourTo.Before(p.To)
}

// arguments name the days. An array must not be empty.
func (d dayParts) arguments() []any {
	if len(d.rows) == 0 {
		return nil
	}
	var days []uint64 // s * 1000 + shard
	var builds []int64
	for _, one := range d.rows {
		for _, mark := range one.marks {
			days, builds = append(days, uint64(one.day+mark%1000)), append(builds, mark/1000)
		}
	}
	last := d.rows[len(d.rows)-1].day + dayMillis
	return []any{
		clickhouse.Named("days", days), clickhouse.Named("builds", builds),
		clickhouse.Named("days_from", d.rows[0].day/1000), clickhouse.Named("days_to", last/1000), clickhouse.Named("counted_day", d.counted/1000),
	}
}
