package exportjob

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/encode"
)

// Config are the settings of export jobs.
type Config struct {
	// Dir holds the files: Dir/<job>/<try>/<file>. Processes that share it serve each other's files.
	Dir string
	// Workers bounds the jobs that this process does at once, PerLicense those of one license over all processes.
	Workers    int
	PerLicense int
	// MaxOpen bounds a license's jobs that wait or run.
	MaxOpen int
	// MaxBytes bounds what all files in Dir take, MaxLicenseBytes those of one license.
	MaxBytes        int64
	MaxLicenseBytes int64
	// Keep is how long files are kept, Remember how long a job that is over is listed.
	Keep     time.Duration
	Remember time.Duration
	// Lease is how long a worker may be silent before another takes its job; the same for all processes.
	Lease time.Duration
	// Poll is how often a process looks for jobs of others, Sweep how often it removes what is not kept any more.
	Poll  time.Duration
	Sweep time.Duration
	// MaxTries bounds how often a job is begun when it fails or its worker is gone; Backoff is the wait after the first
	// failure, doubled with each.
	MaxTries int
	Backoff  time.Duration
}

// DefaultConfig keeps files a day, and as much as a week of a thousand servers takes as compressed files.
func DefaultConfig(dir string) Config {
	return Config{
		Dir: dir, Workers: 2, PerLicense: 1, MaxOpen: 10, MaxBytes: 50 << 30, MaxLicenseBytes: 10 << 30,
		Keep: 24 * time.Hour, Remember: 7 * 24 * time.Hour, Lease: 30 * time.Second, Poll: 2 * time.Second, Sweep: time.Minute,
		MaxTries: 3, Backoff: 5 * time.Second,
	}
}

// Validate names every setting that makes no sense.
func (c Config) Validate() error {
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New("export jobs: "+what))
		}
	}
	need(c.Dir != "", "Dir is missing")
	need(c.Workers >= 1 && c.PerLicense >= 1 && c.MaxOpen >= 1 && c.MaxTries >= 1, "Workers, PerLicense, MaxOpen and MaxTries must be at least 1")
	need(c.MaxLicenseBytes >= 1 && c.MaxBytes >= c.MaxLicenseBytes, "MaxLicenseBytes must be positive and MaxBytes no less")
	need(c.Lease >= 100*time.Millisecond, "Lease must be at least 100ms")
	need(c.Keep > 0 && c.Remember > 0 && c.Poll > 0 && c.Sweep > 0 && c.Backoff > 0, "Keep, Remember, Poll, Sweep and Backoff must be positive")
	return errors.Join(faults...)
}

// Exporter runs exports; *encode.Exporter does.
type Exporter interface {
	Watermark(ctx context.Context, since time.Time) (time.Time, error)
	Plan(ctx context.Context, r encode.Request) ([]encode.Day, error)
	Export(ctx context.Context, r encode.Request) (*encode.Stream, error)
}

// Deps are what jobs work with. All but Logger are required.
type Deps struct {
	Pool     *pgxpool.Pool
	Exporter Exporter
	// Cursor gives the cursor behind an export of raw samples that has what was stored before until.
	Cursor func(spec Spec, until time.Time) (string, error)
	Logger *slog.Logger
}

// Spec is what a job exports.
type Spec struct {
	// Request is the export; its Encoding is how files are compressed. StoredBefore is set when the job is done.
	Request encode.Request
	// ByDay splits the export into a file a UTC day.
	ByDay bool
	// Cursor is for Deps.Cursor.
	Cursor []byte
}

// Status is how far a job is.
type Status string

// The states of a job; the last four are over.
const (
	Queued    Status = "queued"
	Running   Status = "running"
	Done      Status = "done"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
	Expired   Status = "expired"
)

// Job is what is known of a job.
type Job struct {
	ID      uuid.UUID
	License uuid.UUID
	Spec    Spec
	Status  Status
	// Tries counts how often it was begun.
	Tries int
	Rows  uint64
	// Estimate is how many rows there will be; nil until they are counted.
	Estimate *uint64
	Bytes    int64
	// Error says why the job failed, or why it is done again.
	Error    string
	Manifest *Manifest

	Created                    time.Time
	Started, Finished, Expires *time.Time

	attempt int32
	faults  int
	place   uuid.UUID
}

// Manifest tells what files a job made.
type Manifest struct {
	Rows  uint64 `json:"rows" doc:"Rows of all files"`
	Bytes int64  `json:"bytes" doc:"Bytes of all files"`
	// NextCursor is the cursor behind an export of raw samples.
	NextCursor string `json:"next_cursor,omitempty" doc:"The next export's after; raw only"`
	Files      []File `json:"files"`
}

// File is one of a job's files. N counts from 0, in the order of the export.
type File struct {
	N      int        `json:"n" doc:"Its place in the export, from 0; the last part of its path"`
	Name   string     `json:"name"`
	From   *time.Time `json:"from,omitempty" doc:"First moment that the file covers; absent where it is bounded by when samples were received alone"`
	To     *time.Time `json:"to,omitempty" doc:"End of what it covers, excluded"`
	Rows   uint64     `json:"rows"`
	Bytes  int64      `json:"bytes"`
	SHA256 string     `json:"sha256" doc:"Digest of the file's bytes, in hex"`
}

// What can be wrong with a request for jobs.
var (
	// ErrNotFound says that the license has no such job or file.
	ErrNotFound = errors.New("no such export job")
	// ErrTooMany says that too many of the license's jobs wait or run.
	ErrTooMany = errors.New("too many export jobs")
	// ErrFull says that files take all the room there is.
	ErrFull = errors.New("no room for more export files")
	// ErrNotDone says that there are no files yet, or none any more.
	ErrNotDone = errors.New("the export job has no files")
	// ErrElsewhere says that another process, on a directory of its own, holds the files.
	ErrElsewhere = errors.New("the files lie with another process")
)

var (
	errLost    = errors.New("the job is another's or over")
	errClosing = errors.New("export jobs are stopping")
)

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("export job: %s: %w", what, err)
}
