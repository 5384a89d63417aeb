package query

import (
	"context"
	"errors"
	"time"

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
	var present summaryFigures
	var figures *summaryFigures
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.run.present(ctx, nowStatement(r.Scope, now), &present) })
	group.Go(func() (err error) {
		figures, err = e.covered(ctx, r.Scope, plan, now, retention.Raw)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	figures.current, figures.total = present.current, present.total
	return figures.summary(plan), nil
}

// covered asks what rollups may answer, and then for the figures of the range.
func (e *Engine) covered(ctx context.Context, s Scope, plan summaryPlan, now time.Time, kept time.Duration) (*summaryFigures, error) {
	cover, err := e.cover(ctx, s, plan.spans(now, kept))
	if err != nil {
		return nil, err
	}
	figures, err := e.figures(ctx, s, plan, cover, now)
	if errors.Is(err, errDaysMoved) {
		cover.known = nil
		figures, err = e.figures(ctx, s, plan, cover, now)
	}
	return figures, err
}

// errDaysMoved says that servers' days were computed anew between asking for them and reading them.
var errDaysMoved = errors.New("days were computed anew")

// figures asks for everything that the range tells.
func (e *Engine) figures(ctx context.Context, scope Scope, plan summaryPlan, cover coverage, now time.Time) (*summaryFigures, error) {
	statements := newSummaryStatements(scope, plan, cover, now)
	var figures summaryFigures
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(e.cfg.Concurrency)
	group.Go(func() error { return e.run.players(ctx, statements.players, &figures) })
	group.Go(func() error { return e.measured(ctx, plan, cover, statements, &figures) })
	if cover.whole {
		group.Go(func() error { return e.run.reported(ctx, statements, &figures) })
	}
	if statements.peak.text != "" {
		group.Go(func() error { return e.run.peak(ctx, statements.peak, &figures) })
	}
	group.Go(func() error { return e.run.restarts(ctx, statements, &figures) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &figures, nil
}

// measured asks for what is taken over all samples; percentiles of raw are exact while the samples are few enough.
func (e *Engine) measured(ctx context.Context, plan summaryPlan, cover coverage, s summaryStatements, f *summaryFigures) error {
	ask, sketched := e.run.servers, s.sketched
	from := s.servers
	if cover.whole {
		ask, from, sketched = e.run.whole, s.figures, statement{}
	}
	if err := ask(ctx, from, f); err != nil {
		return err
	}
	if plan.source == schema.Raw && f.samples <= e.cfg.ExactPercentileSamples {
		return e.run.percentiles(ctx, s.exact, f)
	}
	if sketched.text == "" {
		return nil
	}
	return e.run.percentiles(ctx, sketched, f)
}

// spans are the parts of the answer.
func (p summaryPlan) spans(now time.Time, kept time.Duration) spans {
	s := spans{hourFrom: p.From, cut: p.cut, to: p.To, checkFrom: now.Add(-kept - day)}
	s.daysFrom, s.daysTo = p.daySpan()
	return s
}

func (r SummaryRequest) check(retention schema.Retention) error {
	faults := r.Scope.check()
	if fault := r.Range.check(longest(retention)); fault != nil {
		faults = append(faults, *fault)
	}
	return faulty(faults)
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
	// hoursPeak is the peak before raw; it is known when none of the hours is missing.
	hoursPeak   *float64
	hoursPeakAt int64
	hoursPeakOf bool

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

// whole fills in what is taken over all samples of a license.
func (r runner) whole(ctx context.Context, s statement, f *summaryFigures) error {
	var frameMax *float64
	return r.query(ctx, s, func(rows driver.Rows) error {
		return rows.Scan(&f.samples, &f.fpsAvg, &f.fpsMin, &f.frameAvg, &frameMax, &f.entitiesAvg, &f.entitiesMax,
			&f.memoryAvg, &f.memoryMax, &f.cpuAvg, &f.cpuMax, &f.fps, &f.frame)
	})
}

// reported fills in what is asked of each server of a license.
func (r runner) reported(ctx context.Context, s summaryStatements, f *summaryFigures) error {
	return r.query(ctx, s.servers, func(rows driver.Rows) error {
		var found uint64
		err := rows.Scan(&f.reporting, &f.capacity, &f.slotsReported, &f.slotsExpected, &f.startsMeasured, &found)
		if err == nil && found != s.days {
			err = errDaysMoved
		}
		return err
	})
}

func (r runner) players(ctx context.Context, s statement, f *summaryFigures) error {
	return r.query(ctx, s, func(rows driver.Rows) error { return rows.Scan(&f.playersAvg, &f.playersPeak, &f.playersPeakAt) })
}

func (r runner) percentiles(ctx context.Context, s statement, f *summaryFigures) error {
	return r.query(ctx, s, func(rows driver.Rows) error { return rows.Scan(&f.fps, &f.frame) })
}

// restarts adds up those of the parts; raw is looked at only where the hours are not sure.
func (r runner) restarts(ctx context.Context, s summaryStatements, f *summaryFigures) error {
	if s.restarts.text != "" {
		return r.licenseRestarts(ctx, s, f)
	}
	var unsure uint64
	add := func(st statement, more ...any) error {
		if st.text == "" {
			return nil
		}
		var restarted int64
		err := r.query(ctx, st, func(rows driver.Rows) error { return rows.Scan(append([]any{&restarted}, more...)...) })
		f.restarted += uint64(restarted)
		return err
	}
	if err := errors.Join(add(s.old), add(s.sure, &unsure)); err != nil || unsure == 0 {
		return err
	}
	return add(s.unsure)
}

// licenseRestarts counts those of a whole license. Too many hours to look at one by one are looked at all together.
func (r runner) licenseRestarts(ctx context.Context, s summaryStatements, f *summaryFigures) error {
	var restarted, more int64
	var u unsureHours
	err := r.query(ctx, s.restarts, func(rows driver.Rows) error {
		var found uint64
		err := rows.Scan(&restarted, &u.servers, &u.hours, &u.before, &found)
		if err == nil && found != s.days {
			err = errDaysMoved
		}
		return err
	})
	if err == nil && len(u.servers) > mostUnsure {
		s.restarts = statement{}
		return r.restarts(ctx, s, f)
	}
	if err == nil && len(u.servers) > 0 {
		err = r.query(ctx, s.named(u), func(rows driver.Rows) error { return rows.Scan(&more) })
	}
	f.restarted = uint64(restarted + more)
	return err
}

// peak fills in the largest total of the hours before raw.
func (r runner) peak(ctx context.Context, s statement, f *summaryFigures) error {
	return r.query(ctx, s, func(rows driver.Rows) error {
		var missing uint64
		err := rows.Scan(&f.hoursPeak, &f.hoursPeakAt, &missing)
		f.hoursPeakOf = missing == 0
		return err
	})
}

// highest is the peak of the whole range and its minute: the earlier one of two that are equal; nil when a part is not
// known, as for chosen servers before raw.
func (f *summaryFigures) highest(source schema.Resolution) (peak *float64, at *time.Time) {
	peak, millis := f.playersPeak, f.playersPeakAt
	if source != schema.Raw {
		if !f.hoursPeakOf {
			return nil, nil
		}
		if old := number(f.hoursPeak); old != nil && (peak == nil || *old >= *peak) {
			peak, millis = old, f.hoursPeakAt
		}
	}
	if peak = number(peak); peak == nil {
		return nil, nil
	}
	return peak, timeOf(millis)
}

// summary is the published answer. What no sample of the range measured is nil.
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
	s.Players.Peak, s.Players.PeakAt = f.highest(p.source)
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
