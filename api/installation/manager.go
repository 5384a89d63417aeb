package installation

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/store"
)

// Manager keeps installations, sends commands and hears agents. New makes it, Start begins to work, Close ends that. It is
// safe for concurrent use.
type Manager struct {
	cfg     Config
	deps    Deps
	store   *store.Store
	metrics *metrics
	link    *link // nil without NATS

	ctx    context.Context //nolint:containedctx // ends the work
	cancel context.CancelFunc
	work   sync.WaitGroup
	closed sync.Once
	// wake tells the dispatcher of something to send, stir the rollouts of something that ended.
	wake, stir chan struct{}
	lanes      []chan said
}

// New makes a Manager that does nothing yet but answer.
func New(cfg Config, deps Deps) (*Manager, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Pool == nil || deps.Catalogue == nil || deps.Signer == nil {
		return nil, errors.New("installations: Pool, Catalogue and Signer are required")
	}
	if deps.Logger == nil {
		deps.Logger = slog.Default()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Registerer == nil {
		deps.Registerer = prometheus.DefaultRegisterer
	}
	m := &Manager{cfg: cfg, deps: deps, store: store.New(deps.Pool), wake: make(chan struct{}, 1), stir: make(chan struct{}, 1)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	var err error
	m.metrics, err = newMetrics(deps.Registerer)
	return m, err
}

// now is cut to what Postgres keeps, so that what was written and what is read are the same.
func (m *Manager) now() time.Time { return m.deps.Now().UTC().Truncate(time.Microsecond) }

// Start begins to send, to hear, and to notice silence. Without NATS the last is all.
func (m *Manager) Start() error {
	if m.deps.NATSURL != "" {
		l, err := m.connect()
		if err != nil {
			return err
		}
		m.link = l
		m.work.Go(func() { m.loop(m.cfg.Poll, m.wake, "send commands", m.dispatchOnce) })
	}
	if m.deps.Changed != nil && m.deps.Missed != nil {
		m.work.Go(m.watch)
	}
	m.work.Go(func() { m.loop(m.cfg.Sweep, nil, "end what is overdue", m.expireOnce) })
	m.work.Go(func() { m.loop(m.cfg.RolloutPoll, m.stir, "go on with rollouts", m.rolloutOnce) })
	return nil
}

// Close stops and waits. Statuses that were taken are written first. A second call does nothing.
func (m *Manager) Close() { m.closed.Do(m.close) }

func (m *Manager) close() {
	if m.link != nil {
		m.link.quiet()
		for _, lane := range m.lanes {
			close(lane)
		}
	}
	m.cancel()
	m.work.Wait()
	if m.link != nil {
		m.link.conn.Close()
	}
}

// loop does once until there is nothing to do, waits, and after a fault a little longer each time.
func (m *Manager) loop(every time.Duration, wake <-chan struct{}, what string, once func(context.Context) (again bool, err error)) {
	const longest = 30 * time.Second
	wait := every
	for m.ctx.Err() == nil {
		again, err := once(m.ctx)
		switch {
		case m.ctx.Err() != nil:
			return
		case err != nil:
			m.deps.Logger.Error("installations: "+what, "error", err, "again_in", wait)
			wait = min(2*wait, longest)
		case again:
			continue
		default:
			wait = every
		}
		timer := time.NewTimer(wait - rand.N(wait/8+1))
		select {
		case <-m.ctx.Done():
		case <-timer.C:
		case <-wake:
		}
		timer.Stop()
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
