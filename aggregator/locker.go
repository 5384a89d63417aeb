package aggregator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jackc/pgx/v5"

	"corrosion/schema/connect/stores"
)

// A holder proves every pingEvery that it is alive; Postgres ends a session that was silent for idleLimit, and with it
// its lock, so that a stopped process does not hold the others up for ever.
const (
	pingEvery = 5 * time.Second
	idleLimit = "30s"
)

// lockSQL takes a lock of all aggregators on one database; the first word keeps clear of other users of advisory locks.
const lockSQL = `SELECT pg_try_advisory_lock(hashtext('corrosion jobs'), hashtext($1))`

// locker is gocron's Locker over advisory locks. A lock has a connection of its own: it ends with it, whatever happens
// to the process, and a pool would hand its session on.
type locker struct {
	url string
	// lockOf gives the lock's word of a job.
	lockOf func(job string) string

	mu   sync.Mutex // covers held
	held map[string]*heldLock
}

func newLocker(url string, lockOf func(string) string) *locker {
	return &locker{url: url, lockOf: lockOf, held: map[string]*heldLock{}}
}

// Lock takes the lock of a job or returns ErrBusy.
func (l *locker) Lock(ctx context.Context, job string) (gocron.Lock, error) { return l.take(ctx, job) }

func (l *locker) take(ctx context.Context, job string) (*heldLock, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := stores.PostgresConn(ctx, l.url)
	if err != nil {
		return nil, fmt.Errorf("connect to postgres for a lock: %w", err)
	}
	var got bool
	err = conn.QueryRow(ctx, lockSQL, l.lockOf(job)).Scan(&got)
	if err == nil && got {
		_, err = conn.Exec(ctx, "SET idle_session_timeout = '"+idleLimit+"'")
	}
	if err != nil || !got {
		_ = conn.Close(context.WithoutCancel(ctx))
		if err == nil {
			err = ErrBusy
		}
		return nil, fmt.Errorf("lock job %s: %w", job, err)
	}
	h := &heldLock{owner: l, job: job, conn: conn, stop: make(chan struct{}), stopped: make(chan struct{}), lost: make(chan struct{})}
	l.mu.Lock()
	l.held[job] = h
	l.mu.Unlock()
	go h.keep() // ends with Unlock
	return h, nil
}

// holding gives the lock that a running job has.
func (l *locker) holding(job string) *heldLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[job]
}

// heldLock is a lock and the connection that it lives on.
type heldLock struct {
	owner   *locker
	job     string
	conn    *pgx.Conn
	once    sync.Once
	stop    chan struct{}
	stopped chan struct{}
	// lost is closed when the connection broke: another may hold the lock now.
	lost chan struct{}
}

// keep proves to Postgres that the holder is alive.
func (h *heldLock) keep() {
	defer close(h.stopped)
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), pingEvery)
		err := h.conn.Ping(ctx)
		cancel()
		if err != nil {
			close(h.lost)
			return
		}
	}
}

// Unlock gives the lock back; a second call does nothing.
func (h *heldLock) Unlock(context.Context) error {
	var err error
	h.once.Do(func() {
		close(h.stop)
		<-h.stopped
		h.owner.mu.Lock()
		if h.owner.held[h.job] == h {
			delete(h.owner.held, h.job)
		}
		h.owner.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = h.conn.Close(ctx)
	})
	return err
}

// bound ends a context with the lock.
func (h *heldLock) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { // ends with cancel
		select {
		case <-h.lost:
			cancel(errLockLost)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

var errLockLost = errors.New("the job's lock was lost: its connection to postgres broke")
