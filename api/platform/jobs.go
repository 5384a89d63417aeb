package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Job is work that aggregators do.
type Job struct {
	Name     string     `json:"job"`
	Schedule string     `json:"schedule" doc:"Five cron fields in UTC; empty = on events and by hand alone"`
	SeenAt   time.Time  `json:"seen_at" doc:"When an aggregator last started with it"`
	LastRun  *time.Time `json:"last_run_at" doc:"When its newest run began; null = it never ran"`
	State    string     `json:"state" enum:"never,running,ok,failed" doc:"How the newest run stands"`
	Error    string     `json:"error,omitempty" doc:"Why it failed"`
}

// JobRun is one run of a job.
type JobRun struct {
	ID           int64           `json:"run_id"`
	Job          string          `json:"job"`
	Cause        string          `json:"cause" enum:"schedule,start,event,manual"`
	State        string          `json:"state" enum:"running,ok,failed"`
	ScheduledAt  time.Time       `json:"scheduled_at" doc:"The time that it stands for"`
	StartedAt    time.Time       `json:"started_at"`
	FinishedAt   *time.Time      `json:"finished_at"`
	DurationMS   int64           `json:"duration_ms"`
	Attempts     int32           `json:"attempts"`
	Instance     string          `json:"instance" doc:"The aggregator that ran it"`
	WindowFrom   *time.Time      `json:"window_from" doc:"Begin of the time that it looked at"`
	WindowTo     *time.Time      `json:"window_to"`
	HoursChecked int64           `json:"hours_checked"`
	HoursHealed  int64           `json:"hours_healed"`
	RowsRemoved  int64           `json:"rows_removed"`
	Error        string          `json:"error,omitempty"`
	Detail       json.RawMessage `json:"detail" doc:"The job's own figures, by name"`
}

// JobRequest is a run that was asked for.
type JobRequest struct {
	Job         string     `json:"job"`
	RequestedAt time.Time  `json:"requested_at"`
	From        *time.Time `json:"from" doc:"Begin of the time to look at; null = as the job chooses"`
	To          *time.Time `json:"to"`
	State       string     `json:"state" enum:"waiting,running,ok,failed"`
	RunID       *int64     `json:"run_id" doc:"The run, once an aggregator has begun it"`
	Error       string     `json:"error,omitempty"`
}

// Jobs lists what aggregators do.
func (s *Service) Jobs(ctx context.Context) ([]Job, error) {
	rows, err := s.store.Queries().ListJobs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	jobs := []Job{}
	for _, r := range rows {
		job := Job{Name: r.Name, Schedule: r.Schedule, SeenAt: r.SeenAt.UTC(), LastRun: utc(r.StartedAt), State: "never", Error: r.Error}
		if r.StartedAt != nil {
			job.State = state(r.FinishedAt, r.Error)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

func state(finished *time.Time, fault string) string {
	switch {
	case finished == nil:
		return "running"
	case fault != "":
		return "failed"
	}
	return "ok"
}

// JobRuns gives a page of runs below an id (0 = the newest), of one job or of all where job is empty; limit is 1 to MaxPage.
func (s *Service) JobRuns(ctx context.Context, job string, before int64, limit int) ([]JobRun, error) {
	if limit < 1 || limit > MaxPage {
		return nil, fmt.Errorf("list runs: limit %d: want 1 to %d", limit, MaxPage)
	}
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := s.store.Queries().PageJobRuns(ctx, pg.PageJobRunsParams{Before: before, Job: job, Most: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	runs := make([]JobRun, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		runs = append(runs, JobRun{
			ID: r.ID, Job: r.Job, Cause: r.Cause, State: state(r.FinishedAt, r.Error), ScheduledAt: r.ScheduledAt.UTC(), StartedAt: r.StartedAt.UTC(),
			FinishedAt: utc(r.FinishedAt), DurationMS: r.DurationMs, Attempts: r.Attempts, Instance: r.Instance, WindowFrom: utc(r.WindowFrom),
			WindowTo: utc(r.WindowTo), HoursChecked: r.HoursChecked, HoursHealed: r.HoursHealed, RowsRemoved: r.RowsRemoved, Error: r.Error, Detail: r.Detail,
		})
	}
	return runs, nil
}

// RunJob asks aggregators to run a job once, about a time where from or to are given. It does not wait. It fails with
// ErrNoJob where none knows the job.
func (s *Service) RunJob(ctx context.Context, job string, from, to *time.Time, by *uuid.UUID) (asked JobRequest, err error) {
	at := s.now().UTC().Truncate(time.Microsecond)
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		n, err := q.RequestJob(ctx, pg.RequestJobParams{Job: job, RequestedAt: at, RequestedBy: by, WindowFrom: from, WindowTo: to})
		if err != nil {
			return fmt.Errorf("ask for a run: %w", err)
		}
		if n == 0 {
			return ErrNoJob
		}
		return s.write(ctx, q, "job.requested", uuid.Nil, "job", job, map[string]any{"from": from, "to": to})
	})
	if err != nil {
		return asked, err
	}
	return s.JobRequest(ctx, job, at)
}

// JobRequest reads a run that was asked for, or fails with ErrNoJob.
func (s *Service) JobRequest(ctx context.Context, job string, at time.Time) (JobRequest, error) {
	r, err := s.store.Queries().FindJobRequest(ctx, pg.FindJobRequestParams{Job: job, RequestedAt: at})
	if store.Missing(err) {
		return JobRequest{}, ErrNoJob
	}
	if err != nil {
		return JobRequest{}, fmt.Errorf("read a run that was asked for: %w", err)
	}
	asked := JobRequest{
		Job: r.Job, RequestedAt: r.RequestedAt.UTC(), From: utc(r.WindowFrom), To: utc(r.WindowTo), State: "waiting", RunID: r.RunID, Error: r.Error,
	}
	if r.RunID != nil {
		asked.State = state(r.FinishedAt, r.Error)
	}
	return asked, nil
}
