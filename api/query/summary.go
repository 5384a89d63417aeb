package query

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"corrosion/schema"
)

// Summary answers with the figures of one range. Errors are *Faults where the request is at fault, and wrap
// ErrUnavailable or ErrTooHeavy where ClickHouse is.
func (e *Engine) Summary(ctx context.Context, r SummaryRequest) (*Summary, error) {
	retention, err := e.Retention(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.check(retention); err != nil {
		return nil, err
	}
	now := e.now()
	plan := planSummary(r.Range.whole(), now, retention)
	statements := newSummaryStatements(r.Scope, plan, now)
	var figures summaryFigures
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(e.cfg.Concurrency)
	group.Go(func() error { return e.run.players(ctx, statements.players, &figures) })
	group.Go(func() error {
		if err := e.run.servers(ctx, statements.servers, &figures); err != nil {
			return err
		}
		if plan.source == schema.Raw && figures.samples <= e.cfg.ExactPercentileSamples {
			return e.run.percentiles(ctx, statements.exact, &figures)
		}
		return e.run.percentiles(ctx, statements.sketched, &figures)
	})
	group.Go(func() error { return e.run.restarts(ctx, statements.restarts, &figures) })
	group.Go(func() error { return e.run.present(ctx, statements.now, &figures) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return figures.summary(plan), nil
}

func (r SummaryRequest) check(retention schema.Retention) error {
	_, faults := ParseServers(r.Servers)
	if fault := r.Range.check(longest(retention)); fault != nil {
		faults = append(faults, *fault)
	}
	return faulty(CodeInvalid, faults)
}

// summaryFigures are the figures as ClickHouse gives them; each query fills its own.
type summaryFigures struct {
	current *float64
	total   uint64

	reporting, samples                             uint64
	capacity, fpsAvg, fpsMin, frameAvg             *float64
	entitiesAvg, entitiesMax, memoryAvg, memoryMax *float64
	cpuAvg, cpuMax                                 *float64
	slotsReported, slotsExpected                   int64
	startsMeasured                                 uint8

	playersAvg, playersPeak *float64
	playersPeakAt           int64

	fps, frame []float64
	restarted  uint64
}

func (r runner) present(ctx context.Context, s statement, f *summaryFigures) error {
	return r.query(ctx, s, func(rows driver.Rows) error { return rows.Scan(&f.current, &f.total) })
}

func (r runner) servers(ctx context.Context, s statement, f *summaryFigures) error {
	return r.query(ctx, s, func(rows driver.Rows) error {
		return rows.Scan(&f.reporting, &f.samples, &f.capacity, &f.fpsAvg, &f.fpsMin, &f.frameAvg, &f.entitiesAvg, &f.entitiesMax,
			&f.memoryAvg, &f.memoryMax, &f.cpuAvg, &f.cpuMax, &f.slotsReported, &f.slotsExpected, &f.startsMeasured)
	})
}

func (r runner) players(ctx context.Context, s statement, f *summaryFigures) error {
	return r.query(ctx, s, func(rows driver.Rows) error { return rows.Scan(&f.playersAvg, &f.playersPeak, &f.playersPeakAt) })
}

func (r runner) percentiles(ctx context.Context, s statement, f *summaryFigures) error {
	return r.query(ctx, s, func(rows driver.Rows) error { return rows.Scan(&f.fps, &f.frame) })
}

func (r runner) restarts(ctx context.Context, statements []statement, f *summaryFigures) error {
	for _, s := range statements {
		err := r.query(ctx, s, func(rows driver.Rows) error {
			var restarted int64
			err := rows.Scan(&restarted)
			f.restarted += uint64(restarted)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// summary is the published answer. What no sample of the range measured is nil; peaks need raw for the whole range.
func (f *summaryFigures) summary(p summaryPlan) *Summary {
	s := &Summary{
		From: p.From.UTC(), To: p.To.UTC(), Source: p.source, Samples: f.samples,
		Servers:    SummaryServers{Total: max(f.total, f.reporting), Reporting: f.reporting},
		Players:    SummaryPlayers{Current: number(f.current), Avg: number(f.playersAvg), Capacity: number(f.capacity)},
		FPS:        SummaryFPS{Avg: number(f.fpsAvg), Min: number(f.fpsMin), P05: at(f.fps, 0), P50: at(f.fps, 1)},
		FrameMS:    SummaryFrameMS{Avg: number(f.frameAvg), P95: at(f.frame, 0), P99: at(f.frame, 1)},
		Entities:   SummaryAvgMax{Avg: number(f.entitiesAvg), Max: number(f.entitiesMax)},
		MemoryMB:   SummaryAvgMax{Avg: number(f.memoryAvg), Max: number(f.memoryMax)},
		CPUPercent: SummaryAvgMax{Avg: number(f.cpuAvg), Max: number(f.cpuMax)},
	}
	s.Servers.Silent = s.Servers.Total - s.Servers.Reporting
	if p.source == schema.Raw && f.playersPeak != nil {
		s.Players.Peak, s.Players.PeakAt = number(f.playersPeak), timeOf(f.playersPeakAt)
	}
	if f.startsMeasured > 0 {
		s.Restarts = &f.restarted
	}
	if f.slotsExpected > 0 {
		percent := 100 * float64(f.slotsReported) / float64(f.slotsExpected)
		s.UptimePercent = &percent
	}
	return s
}

func at(values []float64, i int) *float64 {
	if i >= len(values) {
		return nil
	}
	return number(&values[i])
}
