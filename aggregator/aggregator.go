package aggregator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Deps are what an aggregator works with; it closes none of them.
type Deps struct {
	Postgres   *pgxpool.Pool
	ClickHouse driver.Conn
	// Registerer takes the metrics; nil: none.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// Aggregator is the runner with the platform's jobs.
type Aggregator struct {
	*Runner
	config  Config
	deps    Deps
	metrics *metrics
	status  *status
}

// New makes an aggregator with its jobs registered. Others may be registered before Start.
func New(c Config, d Deps) (*Aggregator, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if d.Postgres == nil || d.ClickHouse == nil {
		return nil, errors.New("aggregator: a store is missing")
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Aggregator{config: c, deps: d, Runner: newRunner(d.Postgres, c.PostgresURL, c.Instance, d.Logger), metrics: newMetrics()}
	a.status = &status{now: a.now, failed: map[string]failure{}}
	a.observe = a.observed
	if d.Registerer != nil {
		if err := a.metrics.register(d.Registerer); err != nil {
			return nil, fmt.Errorf("aggregator: register metrics: %w", err)
		}
	}
	err := a.Register(Job{Name: verifyJob, Schedule: c.VerifySchedule, Lock: lockTables, AtStart: true, Do: a.verify})
	err = errors.Join(err, a.Register(Job{Name: retentionJob, Schedule: retentionSchedule, Lock: lockTables, Do: a.retain}))
	err = errors.Join(err, a.Register(Job{Name: marksJob, Schedule: marksSchedule, Do: a.markSamples}))
	return a, errors.Join(err, a.Register(Job{Name: "verify-all", Schedule: c.VerifyAllSchedule, Lock: lockTables, Do: func(ctx context.Context, run *Run) error {
		run.Asked = Window{From: time.Unix(0, 1)}
		return a.verify(ctx, run)
	}}))
}

// Start runs the jobs on their schedules, and watches for what is to be verified at once, until Close.
func (a *Aggregator) Start() error {
	if err := a.Runner.Start(); err != nil {
		return errors.Join(err, a.Close())
	}
	a.loops.Go(a.watch)
	return nil
}
