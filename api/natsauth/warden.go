package natsauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"corrosion/api/store"
	"corrosion/schema/pause"
	"corrosion/schema/pg"
)

const (
	// changes is the channel on which Postgres tells of changed users and licenses.
	changes = "corrosion_nats"
	// namesAtOnce bounds the users of one question to Postgres.
	namesAtOnce = 5000
	// kicksAtOnce bounds the kicks under way.
	kicksAtOnce = 16
)

// Warden hears of changes, makes the Gate forget what it knew, and ends live
// connections that no longer hold.
type Warden struct {
	config WardenConfig
	deps   WardenDeps
	due    chan struct{} // something has changed
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// WardenDeps are what a Warden needs.
type WardenDeps struct {
	Pool        *pgxpool.Pool
	Store       Store
	Gate        *Gate
	Connections Connections
	Metrics     *Metrics
	Logger      *slog.Logger
}

// StartWarden watches until Close.
func StartWarden(config WardenConfig, deps WardenDeps) (*Warden, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &Warden{config: config, deps: deps, due: make(chan struct{}, 1), stop: stop}
	w.done.Go(func() { w.listen(ctx) })
	w.done.Go(func() { w.check(ctx) })
	return w, nil
}

// Close stops watching and waits.
func (w *Warden) Close() {
	w.stop()
	w.done.Wait()
}

// listen hears of changes until ctx ends; while it cannot, what the gate knows grows old as its settings say.
func (w *Warden) listen(ctx context.Context) {
	store.New(w.deps.Pool).Listen(ctx, store.Listening{
		Channel: changes, RetryMin: w.config.RetryMin, RetryMax: w.config.RetryMax, Logger: w.deps.Logger,
		Anew: func() { w.deps.Gate.Expire(); w.wake() },
		Heard: func(payload string) {
			if license, err := uuid.Parse(payload); err == nil {
				w.deps.Gate.Forget(license)
			} else {
				w.deps.Gate.Expire()
			}
			w.wake()
		},
	})
}

func (w *Warden) wake() {
	select {
	case w.due <- struct{}{}:
	default: // a check is due anyway
	}
}

// check looks at all connections: soon after each change, once more a little later, and every now and then.
func (w *Warden) check(ctx context.Context) {
	timer := time.NewTimer(w.config.Every)
	defer timer.Stop()
	for {
		next := w.config.Every
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-w.due:
			next = w.config.Again
			if !pause.For(ctx, w.config.Settle) {
				return
			}
		}
		until, err := w.checkOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.deps.Logger.Warn("live NATS connections could not all be checked; trying again", "error", err)
			next = min(next, w.config.RetryMax)
		}
		if !until.IsZero() {
			next = min(next, max(time.Until(until), 0))
		}
		timer.Reset(next)
	}
}

// checkOnce ends what no longer holds; until is when the next password ends by itself.
func (w *Warden) checkOnce(ctx context.Context) (until time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.config.Limit)
	defer cancel()
	live, listErr := w.deps.Connections.List(ctx)
	holds, until, err := w.holding(ctx, live)
	if err != nil {
		return until, err
	}
	var kicks errgroup.Group // one that fails leaves the others alone
	kicks.SetLimit(kicksAtOnce)
	before := w.deps.Metrics.Kicked()
	for _, connection := range live {
		user, generation, ours := parseConnectionName(connection.User)
		if !ours || slices.Contains(holds[user], generation) {
			continue
		}
		kicks.Go(func() error { return w.kick(ctx, connection) })
	}
	err = kicks.Wait()
	if ended := w.deps.Metrics.Kicked() - before; ended > 0 {
		w.deps.Logger.Info("ended NATS connections whose login no longer holds", "connections", ended)
	}
	return until, errors.Join(err, listErr)
}

func (w *Warden) kick(ctx context.Context, connection Connection) error {
	ctx, cancel := context.WithTimeout(ctx, w.config.KickLimit)
	defer cancel()
	if err := w.deps.Connections.Kick(ctx, connection); err != nil {
		return fmt.Errorf("end connection %d of %s: %w", connection.ID, connection.User, err)
	}
	w.deps.Metrics.kicked.Add(1)
	w.deps.Logger.Debug("ended a NATS connection", "user", connection.User, "connection", connection.ID)
	return nil
}

// holding reads which generations of the connected users hold now.
func (w *Warden) holding(ctx context.Context, live []Connection) (holds map[string][]int64, until time.Time, err error) {
	holds = map[string][]int64{}
	var names []string
	for _, connection := range live {
		if user, _, ours := parseConnectionName(connection.User); ours && holds[user] == nil {
			holds[user] = []int64{}
			names = append(names, user)
		}
	}
	now := time.Now()
	for chunk := range slices.Chunk(names, namesAtOnce) {
		rows, err := w.deps.Store.ListNATSUsers(ctx, chunk)
		if err != nil {
			return nil, until, fmt.Errorf("read NATS users: %w", err)
		}
		for _, row := range rows {
			holds[row.Name] = valid(row, now)
			if ends := row.PreviousUntil; ends != nil && ends.After(now) && (until.IsZero() || ends.Before(until)) {
				until = *ends
			}
		}
	}
	return holds, until, nil
}

// valid are the generations of a user whose connections may stay.
func valid(row pg.ListNATSUsersRow, now time.Time) []int64 {
	if row.SuspendedAt != nil {
		return nil
	}
	if row.PreviousUntil != nil && now.Before(*row.PreviousUntil) {
		return []int64{row.Generation, *row.PreviousGeneration}
	}
	return []int64{row.Generation}
}
