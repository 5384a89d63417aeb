package erasure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Config is the pace of the worker.
type Config struct {
	// Poll is how often the worker looks for erasures that it was not told of.
	Poll time.Duration
	// Settle is how long after a pass the next one looks: longer than samples are on their way to ClickHouse, and than
	// ingesters believe that a license exists.
	Settle time.Duration
	// Lease bounds one pass; after it another process may try.
	Lease time.Duration
	// Retry is how long to wait after a fault.
	Retry time.Duration
}

// DefaultConfig looks again after a minute and a half.
func DefaultConfig() Config {
	return Config{Poll: 5 * time.Second, Settle: 90 * time.Second, Lease: 30 * time.Minute, Retry: 15 * time.Second}
}

// Deps are what the worker works with; it closes none of them. All are required but CloseSQL and Logger.
type Deps struct {
	Store      *store.Store
	ClickHouse driver.Conn
	JetStream  jetstream.JetStream
	// CloseSQL takes a license's own login to ClickHouse away; nil where nobody has one.
	CloseSQL func(context.Context, uuid.UUID) error
	Logger   *slog.Logger
}

// Worker erases. Several may work on one database.
type Worker struct {
	cfg  Config
	deps Deps
	wake chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup
}

// New makes a worker that does not run yet.
func New(cfg Config, deps Deps) (*Worker, error) {
	if cfg.Poll <= 0 || cfg.Settle <= 0 || cfg.Lease <= 0 || cfg.Retry <= 0 {
		return nil, errors.New("erasure: Poll, Settle, Lease and Retry must be positive")
	}
	if deps.Store == nil || deps.ClickHouse == nil || deps.JetStream == nil {
		return nil, errors.New("erasure: Store, ClickHouse and JetStream are required")
	}
	if deps.Logger == nil {
		deps.Logger = slog.Default()
	}
	return &Worker{cfg: cfg, deps: deps, wake: make(chan struct{}, 1)}, nil
}

// Open starts the worker; Close ends it.
func (w *Worker) Open() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.done.Go(func() { w.run(ctx) })
}

// Close stops the worker and waits for it. A pass that was under way is done again by the next worker.
func (w *Worker) Close() {
	w.stop()
	w.done.Wait()
}

// Wake has the worker look at once.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Worker) run(ctx context.Context) {
	tick := time.NewTicker(w.cfg.Poll)
	defer tick.Stop()
	for {
		again, err := w.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.deps.Logger.Error("a license could not be erased; trying again", "in", w.cfg.Retry, "error", err)
		}
		if again && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-w.wake:
		}
	}
}

// once does one pass of one erasure that is due; it tells whether there was one.
func (w *Worker) once(ctx context.Context) (bool, error) {
	q := w.deps.Store.Queries()
	job, err := q.ClaimErasure(ctx, w.cfg.Lease.Seconds())
	if store.Missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("take an erasure: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, w.cfg.Lease)
	defer cancel()
	return true, w.pass(limited, job)
}

// Counts are rows or messages by where they stood, as in "clickhouse.samples".
type Counts map[string]uint64

// pass removes everything there is and notes what it was; one that finds nothing after another is the last.
func (w *Worker) pass(ctx context.Context, job pg.Erasure) error {
	removed := Counts{}
	if err := json.Unmarshal(job.Removed, &removed); err != nil {
		return fmt.Errorf("read the receipt: %w", err)
	}
	found, fault := w.remove(ctx, job.License)
	for place, n := range found {
		removed[place] += n
	}
	receipt, err := json.Marshal(removed)
	if err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	// Noted even when this process is stopping, so that the next one need not wait for the lease.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	q := w.deps.Store.Queries()
	switch {
	case fault != nil:
		return errors.Join(fault, q.DelayErasure(ctx, pg.DelayErasureParams{
			Removed: receipt, LastError: audit.Clip(fault.Error(), 500), WaitSeconds: w.cfg.Retry.Seconds(), ID: job.ID,
		}))
	case job.Passes == 0 || total(found) > 0:
		return q.PassErasure(ctx, pg.PassErasureParams{Removed: receipt, WaitSeconds: w.cfg.Settle.Seconds(), ID: job.ID})
	}
	return w.finish(ctx, job, receipt)
}

func (w *Worker) finish(ctx context.Context, job pg.Erasure, receipt []byte) error {
	return w.deps.Store.Tx(ctx, func(q *pg.Queries) error {
		if err := q.FinishErasure(ctx, pg.FinishErasureParams{Removed: receipt, ID: job.ID}); err != nil {
			return fmt.Errorf("finish: %w", err)
		}
		return audit.Write(ctx, q, time.Now(), audit.Event{
			Action: "license.erased", ActorID: job.AskedBy, TargetKind: "license", TargetID: job.License.String(),
			Details: map[string]any{"erasure": job.ID, "removed": json.RawMessage(receipt)},
		})
	})
}

func total(c Counts) (n uint64) {
	for one := range maps.Values(c) {
		n += one
	}
	return n
}

// remove empties every store, the way of a sample: first who sends, then what waits, then what is stored.
func (w *Worker) remove(ctx context.Context, license uuid.UUID) (Counts, error) {
	found := Counts{}
	for _, step := range []struct {
		what string
		do   func(context.Context, uuid.UUID, Counts) error
	}{
		{"close the login to ClickHouse", w.closeSQL}, {"erase from Postgres", w.erasePostgres},
		{"erase from JetStream", w.eraseJetStream}, {"erase from ClickHouse", w.eraseClickHouse},
	} {
		if err := step.do(ctx, license, found); err != nil {
			return found, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return found, nil
}

func (w *Worker) closeSQL(ctx context.Context, license uuid.UUID, _ Counts) error {
	if w.deps.CloseSQL == nil {
		return nil
	}
	return w.deps.CloseSQL(ctx, license)
}

// erasePostgres counts and removes in one transaction.
func (w *Worker) erasePostgres(ctx context.Context, license uuid.UUID, found Counts) error {
	return w.deps.Store.Tx(ctx, func(q *pg.Queries) error {
		rows, err := q.CountLicenseRows(ctx, license)
		if err != nil {
			return fmt.Errorf("count: %w", err)
		}
		if err := q.EraseLicense(ctx, license); err != nil {
			return err
		}
		for _, row := range rows {
			note(found, "postgres."+row.Name, uint64(row.N))
		}
		return nil
	})
}

func note(found Counts, place string, n uint64) {
	if n > 0 {
		found[place] = n
	}
}
