package live

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// network is a license that somebody watches.
type network struct {
	hub     *Hub
	license uuid.UUID
	// name is drawn anew for each network: frames are counted within it.
	name   string
	ctx    context.Context
	cancel context.CancelFunc
	loops  sync.WaitGroup
	// wake says that the next frame has something; again that ClickHouse must be asked once more.
	wake, again chan struct{}
	// seeded closes with the first answer of ClickHouse, or when it took too long.
	seeded   chan struct{}
	seedOnce sync.Once

	mu       sync.Mutex // covers what follows
	state    *state
	decoder  *wire.Decoder
	seq      uint64
	at       time.Time // of frame seq
	complete bool
	// totalsSeq is the frame in which totals changed whatever the servers did, staleSeq that in which NATS went away or
	// came back, turned that the next frame says so.
	totalsSeq, staleSeq uint64
	totalsDue, turned   bool
	staleSince          time.Time
	// notices are the latest, in order; those of frame 0 are for the next one. Who has a frame before unheard has missed
	// some and needs a snapshot.
	notices       []notice
	unheard       uint64
	views         map[string]*view
	listeners     map[*Listener]struct{}
	next          chan struct{} // closes with the next frame
	subscriptions []*nats.Subscription
	idle          *time.Timer
}

func newNetwork(h *Hub, license uuid.UUID) *network {
	n := &network{
		hub: h, license: license, name: randomName(), state: newState(h.cfg), decoder: wire.NewDecoder(),
		wake: make(chan struct{}, 1), again: make(chan struct{}, 1), seeded: make(chan struct{}), next: make(chan struct{}),
		views: map[string]*view{}, listeners: map[*Listener]struct{}{}, seq: 1, at: h.deps.Now(),
	}
	n.ctx, n.cancel = context.WithCancel(h.ctx)
	return n
}

func randomName() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// start listens and works until stop.
func (n *network) start() error {
	for _, subject := range []string{schema.StatsSubject(n.license), schema.StatsSubject(n.license) + ".*"} {
		s, err := n.hub.conn.Subscribe(subject, n.message)
		if err == nil {
			n.subscriptions = append(n.subscriptions, s)
			err = s.SetPendingLimits(n.hub.cfg.PendingMessages, n.hub.cfg.PendingBytes)
		}
		if err != nil {
			n.stop()
			return err
		}
	}
	n.loops.Go(n.run)
	n.loops.Go(n.seedLoop)
	n.loops.Go(n.bookLoop)
	return nil
}

// stop ends the work and waits for it.
func (n *network) stop() {
	n.cancel()
	for _, s := range n.subscriptions {
		_ = s.Unsubscribe() // fails where the connection is closed, and with it the subscription
	}
	n.loops.Wait()
}

// message learns what one message says.
func (n *network) message(m *nats.Msg) {
	_, server, ok := schema.ParseStatsSubject(m.Subject)
	if !ok {
		return
	}
	now := n.hub.deps.Now().UnixMilli()
	n.mu.Lock()
	defer n.mu.Unlock()
	changed := false
	env := wire.Envelope{License: n.license, SubjectServer: server, StoredAt: now}
	stats := n.decoder.Decode(env, m.Header.Get("Content-Encoding"), m.Data, func(s *schema.Sample) {
		changed = n.state.take(s, now) || changed
	}, func(wire.Reject) {})
	n.hub.metrics.samples.Add(float64(stats.Samples))
	if changed {
		n.due()
	}
}

// due asks for a frame.
func (n *network) due() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// run makes frames: at once where there was none lately, else when it is time; and looks for servers that fall silent.
func (n *network) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
			n.mu.Lock()
			if n.state.age(n.hub.deps.Now().UnixMilli()) {
				n.due()
			}
			n.mu.Unlock()
			continue
		case <-n.wake:
		}
		n.publish()
		pause.Reset(n.hub.cfg.FrameEvery)
		select {
		case <-n.ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// publish makes the next frame out of what has changed.
func (n *network) publish() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.state.changed) == 0 && len(n.state.leaving) == 0 && !n.turned && !n.totalsDue && !n.noticed() {
		return
	}
	now := n.hub.deps.Now()
	n.seq++
	n.at = now
	n.state.advance(n.seq, now.UnixMilli())
	n.number()
	if n.turned {
		n.staleSeq = n.seq
	}
	if n.totalsDue {
		n.totalsSeq = n.seq
	}
	n.turned, n.totalsDue = false, false
	n.hub.metrics.frames.Inc()
	close(n.next)
	n.next = make(chan struct{})
}

// stale says that nothing can arrive since then; the zero time that it can again, and that something may be missing.
func (n *network) stale(since time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.staleSince.Equal(since) {
		return
	}
	n.staleSince, n.turned = since, true
	n.due()
	if since.IsZero() {
		select {
		case n.again <- struct{}{}:
		default:
		}
	}
}

// seedLoop asks the stores for what was before us: once, and again after NATS was away.
func (n *network) seedLoop() {
	defer n.open()
	wait := n.hub.cfg.SeedRetry
	for {
		err := n.seed()
		if n.ctx.Err() != nil {
			return
		}
		n.open()
		var retry <-chan time.Time
		if err != nil {
			n.hub.deps.Logger.Warn("live: read newest samples", "license", n.license, "error", err, "retry", wait)
			retry = time.After(wait)
			wait = min(2*wait, time.Minute)
		} else {
			wait = n.hub.cfg.SeedRetry
		}
		select {
		case <-n.ctx.Done():
			return
		case <-n.again:
		case <-retry:
		}
	}
}

func (n *network) open() { n.seedOnce.Do(func() { close(n.seeded) }) }

// seed takes over what the stores know; what has come from NATS meanwhile and is newer stays.
func (n *network) seed() error {
	ctx, cancel := context.WithTimeout(n.ctx, n.hub.cfg.SeedTimeout)
	defer cancel()
	// The subscription stands before ClickHouse is asked, so that nothing falls between the two. Without NATS it is
	// asked again later.
	flush, done := context.WithTimeout(ctx, n.hub.cfg.SeedWait/2)
	_ = n.hub.conn.FlushWithContext(flush)
	done()
	if err := n.readBook(ctx); err != nil {
		return err
	}
	var samples []schema.Sample
	var heard map[string]int64
	now := n.hub.deps.Now()
	if seeder := n.hub.deps.Seeder; seeder != nil {
		n.hub.metrics.seeds.Inc()
		var err error
		if samples, err = seeder.Newest(ctx, n.license, now.Add(-n.hub.cfg.SeedWindow), n.hub.cfg.MaxServers); err != nil {
			return err
		}
		if heard, err = seeder.Heard(ctx, n.license, n.hub.cfg.MaxServers); err != nil {
			return err
		}
	}
	n.mu.Lock()
	for id, lastSeen := range heard {
		n.state.know(id, lastSeen)
	}
	for i := range samples {
		n.state.take(&samples[i], now.UnixMilli())
	}
	n.totalsDue = n.totalsDue || !n.complete
	n.complete = true
	n.mu.Unlock()
	// The first listener gets all of it in its snapshot.
	n.publish()
	return nil
}

// bookLoop reads what is written of servers again and again, and who is selected by it.
func (n *network) bookLoop() {
	tick := time.NewTicker(n.hub.cfg.BookEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
		if err := n.readBook(n.ctx); err != nil && n.ctx.Err() == nil {
			n.hub.deps.Logger.Warn("live: read the book of servers", "license", n.license, "error", err)
		}
		n.selectAgain()
	}
}

func (n *network) readBook(ctx context.Context) error {
	if n.hub.deps.Book == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.hub.cfg.SeedTimeout)
	defer cancel()
	book, err := n.hub.deps.Book(ctx, n.license)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state.read(book, n.hub.deps.Now().UnixMilli()) {
		n.due()
	}
	return nil
}
