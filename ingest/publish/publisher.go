package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"corrosion/schema"
	"corrosion/schema/connect"
)

// maxBuffered bounds the bytes that wait in unfinished batches, over all subjects.
const maxBuffered = 32 << 20

// ErrClosed is what a closed Publisher answers.
var ErrClosed = errors.New("publisher is closed")

// Counts are what became of the samples given to Add.
type Counts struct {
	// Sent samples were put into messages. Once Flush returned nil, Sent = Acked + Refused.
	Sent uint64
	// Acked samples are stored by JetStream.
	Acked uint64
	// Refused samples were given up: too large for the server, or the publisher was stopped before they were stored.
	Refused uint64
	// Messages is how many hold the Sent samples; Retries is how often one of them was sent again because the stream
	// was full, away or silent.
	Messages, Retries uint64
	// Bytes are bodies as they travel, PlainBytes before compression; without repetitions.
	Bytes, PlainBytes uint64
}

// Publisher publishes samples of one license. Its methods may be called from several goroutines.
type Publisher struct {
	cfg       Config
	log       *slog.Logger
	nc        *nats.Conn
	ownsConn  bool
	js        jetstream.JetStream
	enc       *encoder
	maxPlain  int // bytes of a plain body at which a batch is full
	idPrefix  string
	slots     chan struct{} // one token for each message under way
	stop      chan struct{} // closed by Close
	closeOnce sync.Once

	// batchMu covers batches and buffered.
	batchMu  sync.Mutex
	batches  map[string]*batch
	buffered int
	used     sync.Pool // of *batch, for their memory

	// mu covers what follows.
	mu       sync.Mutex
	counts   Counts
	nextID   uint64
	pending  map[*nats.Msg]*message
	idle     []chan struct{} // closed when pending becomes empty
	failed   error           // the fault that ends everything, e.g. a missing permission
	refusal  error           // the first reason for Refused since the last Flush
	troubled bool            // a refusal was logged and not yet its end
}

// Open connects to url and makes a Publisher that owns the connection. It fails when the server does not answer now;
// later losses of the connection are waited out.
func Open(url string, cfg Config) (*Publisher, error) {
	var p *Publisher
	ready := make(chan struct{})
	options := []nats.Option{
		nats.Name("corrosion publisher"),
		nats.CustomInboxPrefix(cfg.inboxPrefix()),
		nats.MaxReconnects(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			<-ready
			if p != nil && errors.Is(err, nats.ErrPermissionViolation) {
				p.fail(err)
			}
		}),
	}
	if cfg.User != "" {
		options = append(options, nats.UserInfo(cfg.User, cfg.Password))
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	nc, err := connect.NATS(url, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	p, err = New(nc, cfg)
	close(ready)
	if err != nil {
		nc.Close()
		return nil, err
	}
	p.ownsConn = true
	return p, nil
}

// New makes a Publisher on a connection that stays the caller's. The connection's inbox prefix must be one that its
// user may subscribe.
func New(nc *nats.Conn, cfg Config) (*Publisher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	enc, err := newEncoder(cfg.Compression)
	if err != nil {
		return nil, err
	}
	p := &Publisher{
		cfg: cfg, log: cfg.logger(), nc: nc, enc: enc,
		idPrefix: nuid.Next() + "-",
		slots:    make(chan struct{}, cfg.InFlight),
		stop:     make(chan struct{}),
		batches:  map[string]*batch{},
		pending:  map[*nats.Msg]*message{},
	}
	p.maxPlain = int(nc.MaxPayload()) - headerRoom
	if cfg.Compression != Plain {
		// Compressed bodies that turn out too large are halved, so the bound here is only a guess: a fifth is usual.
		p.maxPlain = min(3*p.maxPlain, schema.MaxMessageBytes-headerRoom)
	}
	p.js, err = jetstream.New(nc,
		jetstream.WithPublishAsyncMaxPending(cfg.InFlight+1),
		jetstream.WithPublishAsyncTimeout(cfg.AckWait),
		jetstream.WithPublishAsyncAckHandler(func(_ jetstream.JetStream, m *nats.Msg, _ *jetstream.PubAck) { p.acked(m) }),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, m *nats.Msg, err error) { p.refused(m, err) }),
	)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return p, nil
}

// Add takes one sample over: it is encoded at once, so s may be reused. A full batch is sent, which blocks while
// InFlight messages are under way, until ctx ends. License, Epoch, Seq, Idx and ReceivedAt of s are not sent.
func (p *Publisher) Add(ctx context.Context, s *schema.Sample) error {
	if err := p.fault(); err != nil {
		return err
	}
	p.batchMu.Lock()
	b := p.batchOf(s.ServerID)
	before := len(b.body)
	b.add(s)
	full := p.takeFull(b)
	p.buffered += len(b.body) - before
	tooMuch := p.buffered > maxBuffered
	p.batchMu.Unlock()
	if err := p.sendBatch(ctx, full); err != nil || !tooMuch {
		return err
	}
	return p.Send(ctx)
}

// batchOf is the batch that the server's next sample belongs to. batchMu is held.
func (p *Publisher) batchOf(serverID string) *batch {
	key := ""
	if p.cfg.PerServer {
		key = serverID
	}
	b := p.batches[key]
	if b == nil {
		b = &batch{subject: schema.StatsSubject(p.cfg.License)}
		if p.cfg.PerServer {
			b.subject = schema.ServerStatsSubject(p.cfg.License, serverID)
		}
		p.batches[key] = b
	}
	return b
}

// takeFull takes what must be sent now out of b: all of it when it holds enough samples, all but the last when that one
// made it too large. batchMu is held.
func (p *Publisher) takeFull(b *batch) batch {
	switch {
	case len(b.body) > p.maxPlain && len(b.ends) > 1:
		return b.split()
	case len(b.ends) >= p.cfg.BatchSamples, len(b.body) > p.maxPlain:
		return p.take(b)
	}
	return batch{}
}

// take empties b. batchMu is held.
func (p *Publisher) take(b *batch) batch {
	full := *b
	*b = batch{subject: b.subject}
	if used, ok := p.used.Get().(*batch); ok {
		b.body, b.ends = used.body[:0], used.ends[:0]
	}
	return full
}

// Send sends the unfinished batches and does not wait for their acknowledgements.
func (p *Publisher) Send(ctx context.Context) error {
	var parts []batch
	p.batchMu.Lock()
	for _, b := range p.batches {
		if len(b.ends) > 0 {
			parts = append(parts, p.take(b))
		}
	}
	p.buffered = 0
	p.batchMu.Unlock()
	var faults []error
	for _, part := range parts {
		faults = append(faults, p.sendBatch(ctx, part))
	}
	return errors.Join(faults...)
}

// Flush sends what is left and waits until every message is acknowledged or given up. It returns the counts since the
// start, and an error when ctx ended first (then messages are still under way and are repeated until Close) or when
// samples were refused since the last Flush.
func (p *Publisher) Flush(ctx context.Context) (Counts, error) {
	sendErr := p.Send(ctx)
	p.mu.Lock()
	idle := make(chan struct{})
	if len(p.pending) == 0 {
		close(idle)
	} else {
		p.idle = append(p.idle, idle)
	}
	p.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
		return p.Counts(), errors.Join(sendErr, fmt.Errorf("wait for acknowledgements: %w", context.Cause(ctx)))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal := p.refusal
	p.refusal = nil
	if refusal != nil {
		refusal = fmt.Errorf("publish samples: %w", refusal)
	}
	return p.counts, errors.Join(sendErr, refusal, p.failed)
}

// Counts are the figures so far; messages under way are in Sent only.
func (p *Publisher) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Close gives up what is still under way (Flush first to have it stored), counts it as refused, and closes the
// connection if it is the Publisher's own.
func (p *Publisher) Close() error {
	p.closeOnce.Do(func() {
		close(p.stop)
		p.giveUpAll(ErrClosed)
		p.js.CleanupPublisher()
		if p.ownsConn {
			p.nc.Close()
		}
	})
	return nil
}

func (p *Publisher) messageID() string {
	p.nextID++
	return p.idPrefix + strconv.FormatUint(p.nextID, 36)
}

func (p *Publisher) fault() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// backoff is the wait before the given repetition, 1 being the first.
func (c Config) backoff(attempt int) time.Duration {
	wait := c.RetryMin
	for i := 1; i < attempt && wait < c.RetryMax; i++ {
		wait *= 2
	}
	return min(wait, c.RetryMax)
}
