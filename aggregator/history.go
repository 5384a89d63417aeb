package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"corrosion/schema/pg"
)

// Jobs reads what jobs have done.
type Jobs struct{ queries *pg.Queries }

// NewJobs reads from a pool or a connection.
func NewJobs(db pg.DBTX) *Jobs { return &Jobs{pg.New(db)} }

// MaxListed bounds one list.
const MaxListed = 1000

// List gives the newest runs first, of one job or, where job is empty, of all; limit is 1 to MaxListed.
func (j *Jobs) List(ctx context.Context, job string, limit int) ([]pg.JobRun, error) {
	if limit < 1 || limit > MaxListed {
		return nil, fmt.Errorf("list jobs: limit %d: want 1 to %d", limit, MaxListed)
	}
	runs, err := j.queries.ListJobRuns(ctx, pg.ListJobRunsParams{Job: job, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return runs, nil
}

// claim writes down that this instance does an occurrence; ErrDone where it needs doing no more.
func (j *Jobs) claim(ctx context.Context, r *Run, instance string) (id int64, err error) {
	id, err = j.queries.ClaimJobRun(ctx, pg.ClaimJobRunParams{
		Job: r.Job, ScheduledAt: r.Scheduled, Cause: string(r.Cause), Instance: instance, Attempts: maxAttempts,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, ErrDone
	}
	if err != nil {
		return 0, fmt.Errorf("claim a run of %s: %w", r.Job, err)
	}
	return id, nil
}

// finish writes down what a run did.
func (j *Jobs) finish(ctx context.Context, id int64, r *Run, instance string, took time.Duration, failed error) error {
	f := r.Figures()
	detail := []byte("{}")
	if f.Detail != nil {
		var err error
		if detail, err = json.Marshal(f.Detail); err != nil {
			return fmt.Errorf("write down a run of %s: %w", r.Job, err)
		}
	}
	params := pg.FinishJobRunParams{
		ID: id, Instance: instance, DurationMs: took.Milliseconds(), HoursChecked: f.Checked, HoursHealed: f.Healed, RowsRemoved: f.Removed,
		WindowFrom: orNil(f.Window.From), WindowTo: orNil(f.Window.To), Detail: detail,
	}
	if failed != nil {
		params.Error = failed.Error()
	}
	if err := j.queries.FinishJobRun(ctx, params); err != nil {
		return fmt.Errorf("write down a run of %s: %w", r.Job, err)
	}
	return nil
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
