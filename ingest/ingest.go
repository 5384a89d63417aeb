package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/schema"
	"corrosion/schema/connect"
)

// Deps are what the ingester works with and does not own.
type Deps struct {
	// NATS is the connection to use; nil: one is opened to Config.NATSURL by Dial and closed with the ingester.
	// A connection given here should reconnect for ever (nats.MaxReconnects(-1)).
	NATS *nats.Conn
	// Licenses knows which licenses exist; needed.
	Licenses Licenses
	// Registerer takes the metrics; nil: none.
	Registerer prometheus.Registerer
	// Logger is where faults are told; nil: slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Ingester carries samples from JetStream to ClickHouse.
type Ingester struct {
	pipeline   *pipeline
	backlog    *backlogWatch
	events     *eventCarrier
	status     *status
	metrics    *metrics
	registerer prometheus.Registerer
	own        *nats.Conn // opened here; nil where it was given

	abort     chan struct{}
	abortOnce sync.Once
	stop      chan struct{} // closes: stop softly
	stopOnce  sync.Once
	mu        sync.Mutex // covers started
	started   bool
	finished  chan struct{}
}

// Dial connects to NATS as a component should that runs for months: it reconnects for ever, also if the first try fails.
func Dial(address string, log *slog.Logger) (*nats.Conn, error) {
	conn, err := connect.NATS(address,
		nats.Name("corrosion-ingest"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250*time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
		nats.ReconnectBufSize(32<<20),                                  // acks of one batch: 100,000 of some 100 bytes, with room
		nats.PingInterval(10*time.Second), nats.MaxPingsOutstanding(2), // a peer that went silent is noticed in half a minute
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			if !c.IsClosed() {
				log.Warn("nats: disconnected; reconnecting", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("nats: connected again") }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			log.Warn("nats: asynchronous error", "error", err)
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("ingest: NATSURL: %w", err)
	}
	return conn, nil
}

// New checks the settings and prepares an ingester; nothing runs before Run.
func New(c Config, d Deps) (*Ingester, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if d.Licenses == nil {
		return nil, errors.New("ingest: Deps.Licenses is needed")
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	inserts, err := newStore(c, d.Now)
	if err != nil {
		return nil, err
	}
	i := &Ingester{abort: make(chan struct{}), stop: make(chan struct{}), finished: make(chan struct{}), registerer: d.Registerer}
	if d.NATS == nil {
		if d.NATS, err = Dial(c.NATSURL, d.Logger); err != nil {
			return nil, err
		}
		i.own = d.NATS
	}
	if err := i.build(c, d, inserts); err != nil {
		i.release()
		return nil, err
	}
	return i, nil
}

// newStore is where rows go: one server, or the shards of a cluster.
func newStore(c Config, now func() time.Time) (store, error) {
	inserts, err := newInserter(c, now)
	if err != nil {
		return nil, err
	}
	if inserts.cluster != "" {
		return &spread{front: inserts}, nil
	}
	return inserts, nil
}

func (i *Ingester) build(c Config, d Deps, inserts store) error {
	js, err := jetstream.New(d.NATS)
	if err != nil {
		return fmt.Errorf("ingest: open jetstream: %w", err)
	}
	graves, err := newGraveyard(d.NATS, c.Streams)
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	instance := uuid.NewString()
	link, err := newLink(&c)
	if err != nil {
		return err
	}
	logLink, err := newLink(&c)
	if err != nil {
		return err
	}
	i.status = newStatus(&c, d.Now)
	i.status.leasesAway(errStarting)
	i.metrics = newMetrics(i.status)
	i.backlog = &backlogWatch{js: js, streams: []string{schema.StreamStats, schema.StreamStatsByServer, schema.StreamEvents}, status: i.status, log: d.Logger}
	if i.registerer != nil {
		if err := i.metrics.register(i.registerer); err != nil {
			i.registerer = nil
			return fmt.Errorf("ingest: register metrics: %w", err)
		}
	}
	if i.events, err = newEventCarrier(c, d, js, i.status, i.metrics); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	i.pipeline = &pipeline{
		config: c, instance: instance,
		source: newPuller(d.NATS, js, c, i.status, d.Logger, &ledger{link: link, instance: instance}), store: inserts, graves: graves,
		journal:  &ingestLog{link: logLink, timeout: c.InsertTimeout},
		licenses: d.Licenses, status: i.status, metrics: i.metrics, now: d.Now, log: d.Logger, abort: i.abort,
	}
	return nil
}

// OpenStreams makes the streams what the settings say, so that what is published from now on waits for Run. Run does the
// same, later: only once partitions are its own. Errors are those of NATS, and the end of ctx.
func (i *Ingester) OpenStreams(ctx context.Context) error {
	c := i.pipeline.config
	for _, stream := range append(statsStreams(c.Streams, c.Partitions.Count), eventStream(c.Streams), deadStream(c.Streams)) {
		if _, _, err := ensureStream(ctx, i.backlog.js, stream); err != nil {
			return fmt.Errorf("ingest: %w", err)
		}
	}
	return nil
}

// Run works until ctx ends or Close is called. Then it stops pulling, stores and acknowledges what is held within
// StopTimeout, and returns nil; what is left by then JetStream delivers again, and a log line says how much that was.
// Run may be called once.
func (i *Ingester) Run(ctx context.Context) error {
	i.mu.Lock()
	if i.started {
		i.mu.Unlock()
		return errors.New("ingest: Run was called before")
	}
	i.started = true
	i.mu.Unlock()
	defer close(i.finished)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with Run
		select {
		case <-i.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	var watching sync.WaitGroup
	watching.Go(func() { i.backlog.run(ctx) })
	watching.Go(func() { i.events.run(ctx) })
	i.pipeline.run(ctx)
	cancel()
	watching.Wait()
	return nil
}

// Abort makes a stop that is under way, or the next one, wait for nothing: what is held is delivered again.
func (i *Ingester) Abort() {
	i.abortOnce.Do(func() { close(i.abort) })
}

// Close stops Run as the end of its context would, waits for it, and lets go of what New opened.
func (i *Ingester) Close() error {
	i.stopOnce.Do(func() { close(i.stop) })
	i.mu.Lock()
	started := i.started
	i.started = true // Run after Close does nothing
	i.mu.Unlock()
	if started {
		<-i.finished
	} else {
		close(i.finished)
	}
	i.release()
	return nil
}

func (i *Ingester) release() {
	if i.registerer != nil {
		i.metrics.unregister(i.registerer)
	}
	if i.own != nil {
		i.own.Close()
	}
}

// Health tells whether samples are being stored, and if not, why.
func (i *Ingester) Health() Health { return i.status.health() }
