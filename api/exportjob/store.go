package exportjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"corrosion/api/audit"
	"corrosion/schema/pg"
)

// Create queues a job. It fails with ErrTooMany or ErrFull.
func (m *Manager) Create(ctx context.Context, license uuid.UUID, spec Spec) (Job, error) {
	var job Job
	err := m.locked(ctx, func(q *pg.Queries) error {
		var err error
		job, err = m.create(ctx, q, license, spec)
		return err
	})
	if err != nil {
		return Job{}, err
	}
	m.nudge()
	return job, nil
}

func (m *Manager) create(ctx context.Context, q *pg.Queries, license uuid.UUID, spec Spec) (Job, error) {
	open, err := q.CountOpenExportJobs(ctx, license)
	if err != nil {
		return Job{}, wrap("count", err)
	}
	if open >= int64(m.cfg.MaxOpen) {
		return Job{}, ErrTooMany
	}
	room, err := m.room(ctx, q, license, uuid.Nil)
	if err != nil {
		return Job{}, err
	}
	if room <= 0 {
		return Job{}, ErrFull
	}
	request, err := json.Marshal(spec)
	if err != nil {
		return Job{}, wrap("encode", err)
	}
	params := pg.CreateExportJobParams{ID: uuid.Must(uuid.NewV7()), LicenseID: license, Request: request}
	row, err := q.CreateExportJob(ctx, params)
	if err != nil {
		return Job{}, wrap("create", err)
	}
	if err := note(ctx, q, "export.created", license, row.ID); err != nil {
		return Job{}, err
	}
	return jobOf(row)
}

// note writes down who did what to a job.
func note(ctx context.Context, q *pg.Queries, action string, license, id uuid.UUID) error {
	return audit.Write(ctx, q, time.Now(), audit.Done(ctx, action, license, "export", id.String(), nil))
}

// locked runs f in a transaction that no other creates or claims jobs beside.
func (m *Manager) locked(ctx context.Context, f func(*pg.Queries) error) error {
	return pgx.BeginFunc(ctx, m.deps.Pool, func(tx pgx.Tx) error {
		q := pg.New(tx)
		if err := q.LockExportJobs(ctx); err != nil {
			return wrap("wait for the lock", err)
		}
		return f(q)
	})
}

// room is how many bytes the files of one more job of a license may take here.
func (m *Manager) room(ctx context.Context, q *pg.Queries, license, job uuid.UUID) (int64, error) {
	taken, err := q.ExportBytes(ctx, pg.ExportBytesParams{LicenseID: license, Place: m.place, ID: job})
	if err != nil {
		return 0, wrap("sum files", err)
	}
	return min(m.cfg.MaxBytes-taken.Total, m.cfg.MaxLicenseBytes-taken.License), nil
}

// mostListed bounds a list of jobs; those that are over are forgotten after Config.Remember.
const mostListed = 200

// List gives a license's newest jobs, newest first.
func (m *Manager) List(ctx context.Context, license uuid.UUID) ([]Job, error) {
	rows, err := m.queries.ListExportJobs(ctx, pg.ListExportJobsParams{LicenseID: license, Most: mostListed})
	if err != nil {
		return nil, wrap("list", err)
	}
	jobs := make([]Job, 0, len(rows))
	for _, row := range rows {
		job, err := jobOf(row)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// Find gives one job of a license, or ErrNotFound.
func (m *Manager) Find(ctx context.Context, license, id uuid.UUID) (Job, error) {
	row, err := m.queries.FindExportJob(ctx, pg.FindExportJobParams{LicenseID: license, ID: id})
	if errors.Is(err, pgx.ErrNoRows) {
		return Job{}, ErrNotFound
	}
	if err != nil {
		return Job{}, wrap("read", err)
	}
	return jobOf(row)
}

// Delete cancels a job that waits or runs, and removes one that is over with its files. Cancelled jobs are still listed.
func (m *Manager) Delete(ctx context.Context, license, id uuid.UUID) error {
	cancelled := int64(0)
	err := pgx.BeginFunc(ctx, m.deps.Pool, func(tx pgx.Tx) (err error) {
		q := pg.New(tx)
		if cancelled, err = q.CancelExportJob(ctx, pg.CancelExportJobParams{LicenseID: license, ID: id}); err != nil {
			return wrap("cancel", err)
		}
		if cancelled > 0 {
			return note(ctx, q, "export.cancelled", license, id)
		}
		deleted, err := q.DeleteExportJob(ctx, pg.DeleteExportJobParams{LicenseID: license, ID: id})
		if err != nil {
			return wrap("delete", err)
		}
		if deleted == 0 {
			return ErrNotFound
		}
		return note(ctx, q, "export.deleted", license, id)
	})
	if err != nil {
		return err
	}
	if cancelled > 0 {
		m.interrupt(id)
		return nil
	}
	// Where the files lie elsewhere there is nothing here, and that place's sweep removes them.
	return wrap("remove files", os.RemoveAll(filepath.Join(m.cfg.Dir, id.String())))
}

// OpenFile opens a finished file for reading, or fails with ErrNotFound, ErrNotDone or ErrElsewhere. The caller closes it.
func (m *Manager) OpenFile(ctx context.Context, license, id uuid.UUID, n int) (*os.File, File, error) {
	job, err := m.Find(ctx, license, id)
	if err != nil {
		return nil, File{}, err
	}
	if job.Status != Done || job.Manifest == nil {
		return nil, File{}, ErrNotDone
	}
	if n < 0 || n >= len(job.Manifest.Files) {
		return nil, File{}, ErrNotFound
	}
	if job.place != m.place {
		return nil, File{}, ErrElsewhere
	}
	entry := job.Manifest.Files[n]
	file, err := os.Open(filepath.Join(m.dir(job), entry.Name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, File{}, ErrNotDone
	}
	return file, entry, wrap("open file", err)
}

func (m *Manager) dir(job Job) string {
	return filepath.Join(m.cfg.Dir, job.ID.String(), strconv.Itoa(int(job.attempt)))
}

func jobOf(row pg.ExportJob) (Job, error) {
	job := Job{
		ID: row.ID, License: row.LicenseID, Status: Status(row.Status), Tries: int(row.Attempt), Rows: uint64(row.Rows),
		Bytes: row.Bytes, Error: row.Error, Created: row.CreatedAt, Started: row.StartedAt, Finished: row.FinishedAt,
		Expires: row.ExpiresAt, attempt: row.Attempt, faults: int(row.Faults),
	}
	if row.Place != nil {
		job.place = *row.Place
	}
	if err := json.Unmarshal(row.Request, &job.Spec); err != nil {
		return Job{}, fmt.Errorf("export job: read request: %w", err)
	}
	if row.RowsEstimate != nil {
		estimate := uint64(*row.RowsEstimate)
		job.Estimate = &estimate
	}
	if row.Manifest != nil {
		if err := json.Unmarshal(row.Manifest, &job.Manifest); err != nil {
			return Job{}, fmt.Errorf("export job: read manifest: %w", err)
		}
	}
	return job, nil
}
