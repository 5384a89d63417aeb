package exportjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"corrosion/api/encode"
	"corrosion/schema/pg"
)

// workOnce does one job, if there is one.
func (m *Manager) workOnce(ctx context.Context) (bool, error) {
	var job Job
	// A stop in the middle must not leave a claim behind that nobody knows of.
	claim, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cfg.Lease/2)
	defer cancel()
	err := m.locked(claim, func(q *pg.Queries) error {
		row, err := q.ClaimExportJob(claim, pg.ClaimExportJobParams{
			Place: m.place, LeaseSeconds: m.cfg.Lease.Seconds(), PerLicense: int32(m.cfg.PerLicense),
		})
		if err != nil {
			return err
		}
		job, err = jobOf(row)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, wrap("claim", err)
	}
	return true, m.do(ctx, job)
}

// do brings a claimed job to an end: done, failed, or back in the queue.
func (m *Manager) do(ctx context.Context, job Job) error {
	log := m.deps.Logger.With("job", job.ID, "license", job.License, "try", job.attempt)
	if job.faults >= m.cfg.MaxTries {
		return m.fail(ctx, job, "its worker went away "+fmt.Sprint(job.faults)+" times")
	}
	log.Info("export job begun")
	manifest, err := m.attempt(ctx, job)
	if err == nil {
		log.Info("export job done", "rows", manifest.Rows, "bytes", manifest.Bytes, "files", len(manifest.Files))
		return nil
	}
	// The row is settled by what follows even when this process is stopping.
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cfg.Lease)
	defer cancel()
	switch {
	case errors.Is(err, errLost):
		log.Info("export job cancelled or taken over")
		err = nil
	case errors.Is(err, errClosing):
		err = m.requeue(settle, job, "", 0, 0)
	case final(err) || job.faults+1 >= m.cfg.MaxTries:
		log.Error("export job failed", "error", err)
		err = m.fail(settle, job, explain(err))
	default:
		log.Warn("export job is tried again", "error", err)
		err = m.requeue(settle, job, explain(err), 1, m.cfg.Backoff<<job.faults)
	}
	return errors.Join(err, m.discard(settle, job))
}

// discard removes a try's files, unless it turns out that it was noted as done after all. Where Postgres does not say,
// the sweep will find them.
func (m *Manager) discard(ctx context.Context, job Job) error {
	now, err := m.Find(ctx, job.License, job.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && now.Status == Done && now.attempt == job.attempt {
		return nil
	}
	err = os.RemoveAll(m.dir(job))
	_ = os.Remove(filepath.Dir(m.dir(job))) // fails while another try is in it
	return wrap("remove files", err)
}

// attempt writes the files while a heart renews the lease, and notes that they are there. Where it was stopped, the error
// is why.
func (m *Manager) attempt(ctx context.Context, job Job) (*Manifest, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer m.track(job.ID, cancel)()
	p := &progress{}
	p.estimate.Store(-1)
	manifest, err := m.attend(ctx, cancel, job, p)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // it says more than what it broke
	}
	cancel(nil)
	return manifest, err
}

func (m *Manager) attend(ctx context.Context, stop context.CancelCauseFunc, job Job, p *progress) (*Manifest, error) {
	if err := m.beat(ctx, job, p); err != nil {
		return nil, err
	}
	beating, rest := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() { // ends with rest
		defer close(stopped)
		m.heart(beating, stop, job, p)
	}()
	defer func() { rest(); <-stopped }()
	manifest, err := m.write(ctx, job, m.dir(job), p)
	if err != nil {
		return nil, err
	}
	return manifest, m.finish(ctx, job, manifest)
}

// heart renews the lease until ctx ends, and ends the work when the job is lost or the lease may have run out.
func (m *Manager) heart(ctx context.Context, stop context.CancelCauseFunc, job Job, p *progress) {
	tick := time.NewTicker(m.cfg.Lease / 4)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begun := time.Now()
		err := m.beat(ctx, job, p)
		switch {
		case err == nil:
			last = begun
		case ctx.Err() != nil:
			return
		case errors.Is(err, errLost) || time.Since(last) > m.cfg.Lease*3/4:
			stop(errLost)
			return
		}
	}
}

// beat renews the lease, notes the progress and looks how much room there is.
func (m *Manager) beat(ctx context.Context, job Job, p *progress) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Lease/4)
	defer cancel()
	var estimate *int64
	if n := p.estimate.Load(); n >= 0 {
		estimate = &n
	}
	rows, err := m.queries.BeatExportJob(ctx, pg.BeatExportJobParams{
		ID: job.ID, Attempt: job.attempt, LeaseSeconds: m.cfg.Lease.Seconds(), Rows: p.rows.Load(), Bytes: p.bytes.Load(),
		RowsEstimate: estimate,
	})
	if err != nil {
		return wrap("renew the lease", err)
	}
	if rows == 0 {
		return errLost
	}
	room, err := m.room(ctx, m.queries, job.License, job.ID)
	if err != nil {
		return err
	}
	p.room.Store(room)
	return nil
}

// finish makes the files the job's: from here on they are served.
func (m *Manager) finish(ctx context.Context, job Job, manifest *Manifest) error {
	text, err := json.Marshal(manifest)
	if err != nil {
		return wrap("encode manifest", err)
	}
	rows, err := m.queries.FinishExportJob(ctx, pg.FinishExportJobParams{
		ID: job.ID, Attempt: job.attempt, Rows: int64(manifest.Rows), Bytes: manifest.Bytes, Manifest: text, KeepSeconds: m.cfg.Keep.Seconds(),
	})
	if err == nil && rows == 0 {
		err = errLost
	}
	return wrap("finish", err)
}

func (m *Manager) fail(ctx context.Context, job Job, why string) error {
	_, err := m.queries.FailExportJob(ctx, pg.FailExportJobParams{ID: job.ID, Attempt: job.attempt, Error: why})
	return wrap("note the failure", err)
}

func (m *Manager) requeue(ctx context.Context, job Job, why string, faults int32, wait time.Duration) error {
	_, err := m.queries.RequeueExportJob(ctx, pg.RequeueExportJobParams{
		ID: job.ID, Attempt: job.attempt, Error: why, Faults: faults, WaitSeconds: wait.Seconds(),
	})
	return wrap("give back", err)
}

// final tells whether trying again is of no use.
func final(err error) bool {
	var server *encode.ServerError
	return errors.Is(err, ErrFull) || errors.As(err, &server) && !server.Busy()
}

// explain is what a tenant is told: never the engine's own words, or a path.
func explain(err error) string {
	var server *encode.ServerError
	switch {
	case errors.Is(err, ErrFull):
		return "the files would take more room than there is; delete old jobs, or ask for less or compressed files"
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full"
	case errors.Is(err, encode.ErrUnavailable), errors.Is(err, encode.ErrBroken):
		return "the store went away"
	case errors.As(err, &server) && server.Busy():
		return "the store is busy"
	}
	return "something went wrong here; the operator's log has the job's id"
}
