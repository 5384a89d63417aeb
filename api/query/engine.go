// Package query answers questions about stored samples: range → plan → sql → run → fill. Every step but run is pure.
//
// A request's range is parsed (range.go, params.go); a plan decides between raw samples and hours and lays out the buckets
// (plan.go, bucket.go); statements are composed from the files in sql/ (sql.go); run.go asks ClickHouse; the rows become
// series (series.go) or figures (summary.go), and gaps are filled (fill.go).
package query

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
)

// Engine answers requests. It is safe for use by many goroutines and holds nothing that needs closing.
type Engine struct {
	run runner
	cfg Config
	now func() time.Time

	// retentionMu covers retention and retentionAt.
	retentionMu sync.Mutex
	retention   schema.Retention
	retentionAt time.Time
}

// New returns an engine over conn, which stays the caller's to close. cfg must be valid; now is the clock.
func New(conn driver.Conn, cfg Config, now func() time.Time) *Engine {
	return &Engine{run: runner{conn: conn, cfg: cfg}, cfg: cfg, now: now}
}

// Retention is how long raw samples and hours are kept, as ClickHouse says; it is asked again after RetentionFor.
// Errors wrap ErrUnavailable when ClickHouse does not answer.
func (e *Engine) Retention(ctx context.Context) (schema.Retention, error) {
	e.retentionMu.Lock()
	known, at := e.retention, e.retentionAt
	e.retentionMu.Unlock()
	if !at.IsZero() && e.now().Sub(at).Abs() < e.cfg.RetentionFor {
		return known, nil
	}
	// Asked without the lock: a store that hangs must not make requests queue up behind each other.
	ctx, cancel := e.run.bounded(ctx)
	defer cancel()
	retention, err := schema.ReadRetention(ctx, e.run.conn)
	if err != nil {
		return schema.Retention{}, fmt.Errorf("retention: %w", classify(ctx, err))
	}
	e.retentionMu.Lock()
	defer e.retentionMu.Unlock()
	e.retention, e.retentionAt = retention, e.now()
	return retention, nil
}

// rawKept is the raw retention that was read last.
func (e *Engine) rawKept() time.Duration {
	e.retentionMu.Lock()
	defer e.retentionMu.Unlock()
	return e.retention.Raw
}
