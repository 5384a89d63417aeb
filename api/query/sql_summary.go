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
	now, servers, players statement
	// exact and sketched answer the same percentiles; exact is there for raw ranges only.
	exact, sketched statement
	// restarts are added up.
	restarts []statement
}

func newSummaryStatements(s Scope, p summaryPlan, now time.Time) summaryStatements {
	c := composition{Chosen: len(s.Servers) > 0, Mixed: p.source != schema.Raw}
	edges := p.edgeArguments(s, now)
	measured := c
	for _, f := range []schema.Field{schema.FPS, schema.FrameMS, schema.Entities, schema.MemoryMB, schema.CPUPercent} {
		measured.Columns = append(measured.Columns, newColumn(int(f), f.String()))
	}
	statements := summaryStatements{
		now:      newStatement("summary_now", c, append(s.arguments(), rawRange(now.Add(-currentWindow), now.Add(time.Millisecond))...)),
		servers:  newStatement("summary_servers", measured, edges),
		players:  playersStatement(s, p, c),
		sketched: newStatement("summary_sketches", c, edges),
		restarts: restartStatements(s, p, c),
	}
	if p.source == schema.Raw {
		statements.exact = newStatement("summary_percentiles", c, append(s.arguments(), rawRange(p.From, p.To)...))
	}
	return statements
}

// edgeArguments name the whole hours of the range and the raw that is left at its edges.
func (p summaryPlan) edgeArguments(s Scope, now time.Time) []any {
	end := p.To
	if now.Before(end) {
		end = now
	}
	args := append(s.arguments(), rawRange(p.From, p.To)...)
	args = append(args, hourRange(p.hourFrom, p.hourTo)...)
	return append(args,
		clickhouse.Named("head_to", p.hourFrom.UnixMilli()), clickhouse.Named("tail_from", p.hourTo.UnixMilli()),
		clickhouse.Named("end_minute", -floorDiv(-end.UnixMilli(), time.Minute.Milliseconds())))
}

func playersStatement(s Scope, p summaryPlan, c composition) statement {
	c.Agg, c.Columns, c.Even, c.Minutes = Avg, []column{newColumn(0, schema.Players.String())}, true, true
	args := append(s.arguments(), rawRange(p.cut, p.To)...)
	args = append(args, hourRange(p.From, p.cut)...)
	args = append(args, clickhouse.Named("origin", int64(0)), clickhouse.Named("step", hourMillis))
	return newStatement("summary_players", c, args)
}

func restartStatements(s Scope, p summaryPlan, c composition) (statements []statement) {
	if p.source != schema.Raw {
		args := append(s.arguments(), hourRange(p.From.Add(-restartLookback), p.cut)...)
		args = append(args, clickhouse.Named("counted_from", p.From.Unix()))
		statements = append(statements, newStatement("restarts_hours", c, args))
	}
	if p.source != schema.Hourly {
		since := schema.FloorHour(p.cut)
		args := append(s.arguments(), rawRange(since.Add(-restartLookback), p.To)...)
		args = append(args, hourRange(since.Add(-restartLookback), schema.CeilHour(p.To))...)
		args = append(args, clickhouse.Named("counted_from", since.Unix()), clickhouse.Named("counted_from_ms", p.cut.UnixMilli()))
		statements = append(statements, newStatement("restarts_raw", c, args))
	}
	return statements
}
