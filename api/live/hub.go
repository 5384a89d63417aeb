package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/schema"
	"corrosion/schema/connect"
)

// Seeder knows what was before us.
type Seeder interface {
	// Newest gives the newest sample of each server that has one since then, of at most most servers.
	Newest(ctx context.Context, license uuid.UUID, since time.Time, most int) ([]schema.Sample, error)
	// Heard gives when servers were last heard, ms since the epoch, the latest heard first to count.
	Heard(ctx context.Context, license uuid.UUID, most int) (map[string]int64, error)
}

// Guard says who may go on listening.
type Guard interface {
	// License gives the reason why a license's listeners must go; "" where they may stay.
	License(context.Context, uuid.UUID) (reason string, err error)
	// Ended gives those of the credentials, sessions or API keys, that do not count any more.
	Ended(context.Context, []uuid.UUID) ([]uuid.UUID, error)
}

// Deps are what a Hub works with. NATSURL and Guard are required.
type Deps struct {
	// NATSURL is of a user that may subscribe to every license's stats.
	NATSURL string
	Guard   Guard
	// Seeder is asked once a license, and again when NATS comes back; nil: nothing is known of before.
	Seeder Seeder
	// Book reads what is written of a license's servers; nil: nothing is.
	Book func(context.Context, uuid.UUID) (Book, error)
	// Registerer gets the metrics; nil: Prometheus' default.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Hub follows the licenses that somebody watches. It is safe for concurrent use.
type Hub struct {
	cfg     Config
	deps    Deps
	conn    *nats.Conn
	metrics *metrics
	ctx     context.Context
	cancel  context.CancelFunc
	loops   sync.WaitGroup

	mu       sync.Mutex // covers what follows; taken before a network's
	closed   bool
	networks map[uuid.UUID]*network
	total    int
	address  map[string]int
	license  map[uuid.UUID]int
	away     time.Time // since when NATS is away; zero while it is there
}

// New connects to NATS, for ever if need be, and looks after listeners until Close.
func New(cfg Config, deps Deps) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.NATSURL == "" || deps.Guard == nil {
		return nil, errors.New("live: NATSURL and Guard are required")
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
	h := &Hub{cfg: cfg, deps: deps, networks: map[uuid.UUID]*network{}, address: map[string]int{}, license: map[uuid.UUID]int{}}
	var err error
	if h.metrics, err = newMetrics(deps.Registerer, h.count); err != nil {
		return nil, err
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.lost() // until the first connection stands, which may be later
	if h.conn, err = h.dial(); err != nil {
		h.cancel()
		return nil, err
	}
	if h.conn.IsConnected() {
		h.found()
	}
	h.loops.Go(h.watch)
	return h, nil
}

func (h *Hub) dial() (*nats.Conn, error) {
	conn, err := connect.NATS(h.deps.NATSURL,
		nats.Name("corrosion-live"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250*time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
		nats.PingInterval(5*time.Second), nats.MaxPingsOutstanding(2), // a peer that went silent is noticed in a quarter of a minute
		nats.ConnectHandler(func(*nats.Conn) { h.found() }),
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			if !c.IsClosed() {
				h.deps.Logger.Warn("live: NATS is away; reconnecting", "error", err)
				h.lost()
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { h.found() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) {
				h.metrics.dropped.Inc()
			}
			h.deps.Logger.Warn("live: asynchronous error of NATS", "error", err)
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("live: connect to NATS: %w", err)
	}
	return conn, nil
}

// lost and found tell every network whether something can arrive.
func (h *Hub) lost() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away.IsZero() {
		h.away = h.deps.Now().UTC().Truncate(time.Millisecond)
	}
	h.tell()
}

func (h *Hub) found() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = time.Time{}
	h.tell()
}

func (h *Hub) tell() {
	for _, n := range h.networks {
		n.stale(h.away)
	}
}

// Join makes a listener. It waits up to SeedWait for what was before, and fails with ErrTooMany.
func (h *Hub) Join(ctx context.Context, ask Ask) (*Listener, error) {
	if err := h.reserve(ask); err != nil {
		return nil, err
	}
	members, err := h.resolve(ctx, ask.Selection)
	if err != nil {
		h.release(ask)
		return nil, err
	}
	l, err := h.enter(ask, members)
	if err != nil {
		h.release(ask)
		return nil, err
	}
	wait := time.NewTimer(h.cfg.SeedWait)
	defer wait.Stop()
	select {
	case <-l.n.seeded:
	case <-wait.C:
	case <-ctx.Done():
		l.Leave()
		return nil, ctx.Err()
	}
	l.n.mu.Lock()
	l.last = l.v.resume(ask.LastID)
	l.n.mu.Unlock()
	return l, nil
}

// reserve takes a place.
func (h *Hub) reserve(ask Ask) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return context.Canceled
	}
	if h.total >= h.cfg.MaxListeners || h.license[ask.License] >= h.cfg.MaxLicenseListeners ||
		h.address[ask.Address] >= h.cfg.MaxAddressListeners {
		return ErrTooMany
	}
	h.total++
	h.license[ask.License]++
	h.address[ask.Address]++
	return nil
}

func (h *Hub) release(ask Ask) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.giveBack(ask)
}

func (h *Hub) giveBack(ask Ask) {
	h.total--
	if h.license[ask.License]--; h.license[ask.License] == 0 {
		delete(h.license, ask.License)
	}
	if h.address[ask.Address]--; h.address[ask.Address] == 0 {
		delete(h.address, ask.Address)
	}
}

// enter puts a listener into the network of its license.
func (h *Hub) enter(ask Ask, members map[string]bool) (*Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, context.Canceled
	}
	n := h.networks[ask.License]
	if n == nil {
		n = newNetwork(h, ask.License)
		n.staleSince = h.away
		if err := n.start(); err != nil {
			return nil, fmt.Errorf("listen to NATS: %w", err)
		}
		h.networks[ask.License] = n
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	v, err := n.view(ask.Selection, members)
	if err != nil {
		if len(n.listeners) == 0 && n.idle == nil {
			n.rest(h.cfg.Linger)
		}
		return nil, err
	}
	if n.idle != nil {
		n.idle.Stop()
		n.idle = nil
	}
	v.listeners++
	l := &Listener{ask: ask, n: n, v: v, ended: make(chan struct{})}
	n.listeners[l] = struct{}{}
	return l, nil
}

func (h *Hub) leave(l *Listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.giveBack(l.ask)
	n := l.n
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.listeners, l)
	if l.v.listeners--; l.v.listeners == 0 {
		delete(n.views, l.v.selection.key())
	}
	if len(n.listeners) == 0 && !h.closed {
		n.rest(h.cfg.Linger)
	}
}

// drop ends a network that nobody has come back to.
func (h *Hub) drop(n *network) {
	h.mu.Lock()
	n.mu.Lock()
	rested := h.networks[n.license] == n && len(n.listeners) == 0
	n.mu.Unlock()
	if rested {
		delete(h.networks, n.license)
	}
	h.mu.Unlock()
	if rested {
		n.stop()
	}
}

// watch sends listeners away whose license or session does not count any more.
func (h *Hub) watch() {
	tick := time.NewTicker(h.cfg.CheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		if err := h.check(h.ctx); err != nil && h.ctx.Err() == nil {
			h.deps.Logger.Warn("live: look at licenses and sessions", "error", err)
		}
	}
}

// check asks the guard once for each license and once for all sessions. What it cannot find out stays as it is.
func (h *Hub) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.SeedTimeout)
	defer cancel()
	licenses, sessions := h.present()
	var faults []error
	for license, listeners := range licenses {
		reason, err := h.deps.Guard.License(ctx, license)
		faults = append(faults, err)
		if err == nil && reason != "" {
			endAll(listeners, reason)
		}
	}
	ids := make([]uuid.UUID, 0, len(sessions))
	for id := range sessions {
		ids = append(ids, id)
	}
	if len(ids) > 0 {
		ended, err := h.deps.Guard.Ended(ctx, ids)
		faults = append(faults, err)
		for _, id := range ended {
			endAll(sessions[id], EndedSession)
		}
	}
	return errors.Join(faults...)
}

func endAll(listeners []*Listener, reason string) {
	for _, l := range listeners {
		l.end(reason)
	}
}

// present are the listeners by license and by session.
func (h *Hub) present() (licenses, sessions map[uuid.UUID][]*Listener) {
	licenses, sessions = map[uuid.UUID][]*Listener{}, map[uuid.UUID][]*Listener{}
	h.mu.Lock()
	defer h.mu.Unlock()
	for license, n := range h.networks {
		n.mu.Lock()
		for l := range n.listeners {
			licenses[license] = append(licenses[license], l)
			if l.ask.Session != uuid.Nil {
				sessions[l.ask.Session] = append(sessions[l.ask.Session], l)
			}
		}
		n.mu.Unlock()
	}
	return licenses, sessions
}

func (h *Hub) count() (listeners, networks int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total, len(h.networks)
}

// Close sends every listener away and waits for the work to end; streams then end by themselves.
func (h *Hub) Close() {
	h.mu.Lock()
	already := h.closed
	h.closed = true
	networks := h.networks
	h.networks = map[uuid.UUID]*network{}
	h.mu.Unlock()
	if already {
		return
	}
	h.cancel()
	for _, n := range networks {
		n.mu.Lock()
		for l := range n.listeners {
			l.end(EndedShutdown)
		}
		if n.idle != nil {
			n.idle.Stop()
		}
		n.mu.Unlock()
		n.stop()
	}
	h.conn.Close()
	h.loops.Wait()
}
