package query

import (
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"corrosion/schema"
)

const (
	// currentWindow is how old a server's last sample may be for its players to be there now.
	currentWindow = 5 * time.Minute
	// restartLookback is how far before the range a sample's neighbour is looked for; the hours say in which few hours
	// of raw. A server silent for longer starts afresh.
	restartLookback = 7 * day
)

// summaryStatements are the queries of one summary.
type summaryStatements struct {
	servers, players statement
	// exact and sketched answer the same percentiles; exact is there for raw ranges only.
	exact, sketched statement
	// figures takes the place of sketched, and of most of servers, for a whole license.
	figures statement
	// peak is the largest total before raw, for a whole license.
	peak statement
	// old are the restarts before raw; sure those after it that the hours tell, unsure those that only raw tells.
	old, sure, unsure statement
	// restarts takes the place of old and sure for a whole license, and named that of unsure while they are few.
	restarts statement
	named    func(unsureHours) statement
	// days is how many samples the servers' days hold that are read.
	days uint64
}

func newSummaryStatements(s Scope, p summaryPlan, cover coverage, now time.Time) summaryStatements {
	c := composition{
		Chosen: s.chosen(), Mixed: p.source != schema.Raw, Hours: p.source != schema.Raw, Recent: p.source != schema.Hourly, coverage: cover,
	}
	c.Archived, c.Expected = s.Book != nil && len(s.Book.Archived) > 0, s.Book != nil && len(s.Book.Expected) > 0
	edges := p.edgeArguments(s, now)
	measured := c
	for _, f := range []schema.Field{schema.FPS, schema.FrameMS, schema.Entities, schema.MemoryMB, schema.CPUPercent} {
		measured.Columns = append(measured.Columns, newColumn(int(f), f.String()))
	}
	statements := summaryStatements{
		servers:  newStatement("summary_servers", measured, append(edges, s.Book.arguments()...)),
		players:  playersStatement(s, p, c),
		sketched: newStatement("summary_sketches", c, edges),
	}
	statements.changes(s, p, c)
	if cover.whole {
		statements.figures = licenseFiguresStatement(s, p, measured)
		statements.license(s, p, c, now)
		if p.source != schema.Raw {
			statements.peak = newStatement("network_peak", c, p.wholeArguments(s))
		}
	}
	if p.source == schema.Raw {
		statements.exact = newStatement("summary_percentiles", c, append(s.arguments(), rawRange(p.From, p.To)...))
	}
	return statements
}

// wholeArguments name the hours before the cut and the raw after it.
func (p summaryPlan) wholeArguments(s Scope) []any {
	args := append(s.arguments(), rawRange(p.cut, p.To)...)
	return append(args, hourRange(p.From, p.cut)...)
}

// nowStatement asks for what the range does not change.
func nowStatement(s Scope, now time.Time) statement {
	args := append(s.arguments(), rawRange(now.Add(-currentWindow), now.Add(time.Millisecond))...)
	return newStatement("summary_now", composition{Chosen: s.chosen()}, append(args, s.Book.known()...))
}

// licenseFiguresStatement takes whole hours from the license's hours, also where its minutes are kept.
func licenseFiguresStatement(s Scope, p summaryPlan, c composition) statement {
	if p.source == schema.Hourly || !p.hourFrom.Before(p.hourTo) {
		return newStatement("license_figures", c, append(p.wholeArguments(s), c.coverage.arguments()...))
	}
	c.coverage, c.Hours = c.byHours(p.hourFrom.UnixMilli(), p.hourTo.UnixMilli()), true
	args := append(s.arguments(), rawRange(p.cut, p.To)...)
	args = append(args, hourRange(p.hourFrom, p.hourTo)...)
	return newStatement("license_figures", c, append(args, c.coverage.arguments()...))
}

// license adds what is asked of each server of a license.
func (st *summaryStatements) license(s Scope, p summaryPlan, c composition, now time.Time) {
	from, mask := p.hourFrom, ^uint64(0)
	c.Raw, c.Tail = p.source != schema.Hourly, p.tail()
	c.Head = p.From.Before(from) && from.Before(p.To) && p.From.Equal(p.From.Truncate(time.Minute))
	if c.Head {
		from, mask = schema.FloorHour(p.From), mask<<p.From.Minute()
	}
	c.parts = p.parts(c.known, from)
	c.Days, st.days = len(c.parts.rows) > 0, c.parts.samples
	args := append(s.arguments(), rawRange(p.From, p.To)...)
	args = append(append(args, c.parts.arguments()...), s.Book.arguments()...)
	args = append(args,
		clickhouse.Named("head_hour", from.Unix()), clickhouse.Named("head_to", p.hourFrom.Unix()), clickhouse.Named("head_mask", mask), clickhouse.Named("head_ms", p.hourFrom.UnixMilli()),
		clickhouse.Named("tail_hour", p.hourTo.Unix()), clickhouse.Named("tail_ms", p.hourTo.UnixMilli()), clickhouse.Named("tail_end_ms", schema.CeilHour(p.To).UnixMilli()),
		clickhouse.Named("end_minute", endMinute(p.To, now)))
	st.servers = newStatement("license_servers", c, append(args, c.boundsOf("hours")...))
	args = append(args, c.boundsOf("restart_hours")...)
	st.restarts = newStatement("license_restarts", c, append(args, p.restartArguments()...))
	st.named = func(u unsureHours) statement { return namedStatement(s, p, c, u) }
}

// restartArguments name the hours whose changes are counted, and how.
func (p summaryPlan) restartArguments() []any {
	since, oldUntil := schema.FloorHour(p.From), p.cut
	if p.source == schema.Raw {
		oldUntil = time.Unix(0, 0)
	}
	near := since.Add(-time.Hour)
	return []any{
		clickhouse.Named("counted_from", since.Unix()), clickhouse.Named("near_from", near.Unix()), clickhouse.Named("near_day", near.Truncate(day).Unix()),
		clickhouse.Named("lookback_minute", since.Add(-restartLookback).Unix()/60),
		clickhouse.Named("old_until", oldUntil.Unix()), clickhouse.Named("whole_from", schema.CeilHour(p.From).Unix()),
	}
}

// mostUnsure is how many hours of servers may be looked at one by one.
const mostUnsure = 5000

// unsureHours are hours of servers whose restarts only samples tell, each with the server's hour before; s since the epoch.
type unsureHours struct {
	servers       []string
	hours, before []uint32
}

func namedStatement(s Scope, p summaryPlan, c composition, u unsureHours) statement {
	since := schema.FloorHour(p.From)
	var stretchesOf []gap
	for i := range u.hours {
		for _, hour := range []uint32{u.hours[i], u.before[i]} {
			stretchesOf = append(stretchesOf, gap{From: int64(hour) * 1000, To: int64(hour)*1000 + hourMillis})
		}
	}
	c.named = joinGaps(stretchesOf, since.Add(-restartLookback).UnixMilli(), p.To.UnixMilli())
	args := append(s.arguments(), rawRange(since.Add(-restartLookback), p.To)...)
	args = append(args, clickhouse.Named("counted_from_ms", p.cut.UnixMilli()), clickhouse.Named("unsure_servers", u.servers),
		clickhouse.Named("unsure_hours", u.hours), clickhouse.Named("hours_before", u.before))
	return newStatement("restarts_named", c, append(args, c.boundsOf("named")...))
}

// endMinute is the minute at which the range or now ends, rounded up.
func endMinute(to, now time.Time) int64 {
	if now.Before(to) {
		to = now
	}
	return -floorDiv(-to.UnixMilli(), minute)
}

// edgeArguments name the whole hours of the range and the raw that is left at its edges.
func (p summaryPlan) edgeArguments(s Scope, now time.Time) []any {
	args := append(s.arguments(), rawRange(p.From, p.To)...)
	args = append(args, hourRange(p.hourFrom, p.hourTo)...)
	return append(args,
		clickhouse.Named("head_to", p.hourFrom.UnixMilli()), clickhouse.Named("tail_from", p.hourTo.UnixMilli()),
		clickhouse.Named("end_minute", endMinute(p.To, now)))
}

func playersStatement(s Scope, p summaryPlan, c composition) statement {
	c.Agg, c.Columns, c.Even, c.Minutes = Avg, []column{newColumn(0, schema.Players.String())}, true, true
	args := append(s.arguments(), rawRange(p.cut, p.To)...)
	args = append(args, hourRange(p.From, p.cut)...)
	args = append(args, c.coverage.arguments()...)
	args = append(args, clickhouse.Named("origin", int64(0)), clickhouse.Named("step", hourMillis))
	return newStatement("summary_players", c, args)
}

func (st *summaryStatements) changes(s Scope, p summaryPlan, c composition) {
	if p.source != schema.Raw {
		st.old = newStatement("restarts_hours", c, restartArguments(s, p.From, p.cut))
	}
	if p.source != schema.Hourly {
		since := schema.FloorHour(p.cut)
		args := append(restartArguments(s, since, p.To), rawRange(since.Add(-restartLookback), p.To)...)
		args = append(args, clickhouse.Named("counted_from_ms", p.cut.UnixMilli()),
			clickhouse.Named("whole_from", schema.CeilHour(p.cut).Unix()), clickhouse.Named("whole_to", schema.FloorHour(p.To).Unix()))
		st.sure, st.unsure = newStatement("restarts_sure", c, args), newStatement("restarts_raw", c, args)
	}
}

// restartArguments name the hours of [from, to) and those before them: the one before for most servers.
func restartArguments(s Scope, from, to time.Time) []any {
	args := append(s.arguments(), hourRange(from.Add(-restartLookback), schema.CeilHour(to))...)
	return append(args, clickhouse.Named("counted_from", from.Unix()), clickhouse.Named("near_from", from.Add(-time.Hour).Unix()))
}
