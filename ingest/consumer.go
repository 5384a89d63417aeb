package ingest

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
)

// message is one message as JetStream gave it.
type message struct {
	receipt
	subject   string
	encoding  string // Content-Encoding
	data      []byte
	delivered uint64 // 1 at the first delivery
}

// answers are the words for a message. The receipts keep only the reply subject, so that a batch that waits for ClickHouse does not
// hold its messages' bodies, too.
type answers struct{ ack, progress, nak []byte }

// checkEvery is how often a consumer is looked at: for its lag, and whether it is still there.
const checkEvery = 2 * time.Second

// heartbeat is how often JetStream says that a pull request is still known; two missed ones start another request.
const heartbeat = 2 * time.Second

// requestTimeout bounds one request to JetStream's API.
const requestTimeout = 5 * time.Second

// puller is the source of the pipeline: one durable pull consumer a stream, all giving into one channel.
type puller struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	config Config
	status *status
	log    *slog.Logger

	say     answers
	out     chan message
	soft    context.Context // ends: pull no more
	stopNow context.CancelFunc
	hard    context.Context // ends: give up what was pulled and not taken
	dropNow context.CancelFunc
	loops   sync.WaitGroup

	lastMu    sync.Mutex
	lastReply map[uint64]string // by epoch: the reply subject of the last message acked or terminated
}

func newPuller(nc *nats.Conn, js jetstream.JetStream, c Config, s *status, log *slog.Logger) *puller {
	p := &puller{
		nc: nc, js: js, config: c, status: s, log: log,
		say: answers{ack: []byte("+ACK"), progress: []byte("+WPI"), nak: []byte("-NAK")},
		out: make(chan message, 1024), lastReply: map[uint64]string{},
	}
	p.hard, p.dropNow = context.WithCancel(context.Background())
	p.soft, p.stopNow = context.WithCancel(p.hard)
	return p
}

// start begins to pull. The channel closes after stop, once everything pulled has been taken.
func (p *puller) start() {
	for _, stream := range statsStreams(p.config.Streams) {
		f := &follower{puller: p, stream: stream, trouble: incident{log: p.log, what: "pull from " + stream.Name, now: time.Now}}
		p.loops.Go(f.run)
	}
	go func() { // ends with the followers
		p.loops.Wait()
		close(p.out)
	}()
}

func (p *puller) messages() <-chan message { return p.out }

// stop ends pulling; what has been pulled still comes.
func (p *puller) stop() { p.stopNow() }

// abandon hands back what has been pulled and not taken, and waits for the followers.
func (p *puller) abandon() {
	p.dropNow()
	for m := range p.out {
		_ = p.delay(&m.receipt)
	}
}

// ack says that everything of the message is stored or buried.
func (p *puller) ack(r *receipt) error { return p.last(r, p.say.ack) }

// last says the last word about a message.
func (p *puller) last(r *receipt, word []byte) error {
	p.lastMu.Lock()
	p.lastReply[r.epoch] = r.reply
	p.lastMu.Unlock()
	return p.nc.Publish(r.reply, word)
}

// progress renews the time that JetStream waits for the ack.
func (p *puller) progress(r *receipt) error { return p.nc.Publish(r.reply, p.say.progress) }

// delay hands the message back to be delivered again soon.
func (p *puller) delay(r *receipt) error { return p.nc.Publish(r.reply, p.say.nak) }

// terminate ends a message that will never be readable; JetStream passes the reason to those who watch its advisories.
func (p *puller) terminate(r *receipt, reason string) error {
	return p.last(r, []byte("+TERM "+reason))
}

// settle waits until JetStream has acted on every last word. It repeats the last ack of each stream and asks for an
// answer: a consumer takes its acks in order, while a flush only says that they reached the server's queue.
func (p *puller) settle(ctx context.Context) error {
	p.lastMu.Lock()
	defer p.lastMu.Unlock()
	for _, reply := range p.lastReply {
		if _, err := p.nc.RequestWithContext(ctx, reply, p.say.ack); err != nil && !errors.Is(err, nats.ErrNoResponders) {
			return err // without responders the stream is gone, and its messages with it
		}
	}
	return p.nc.FlushWithContext(ctx)
}

// connected tells whether words reach the server now.
func (p *puller) connected() bool { return p.nc.IsConnected() }

var errNotConnected = errors.New("not connected to NATS")

// follower keeps one stream's consumer alive for as long as the puller pulls.
type follower struct {
	*puller
	stream  jetstream.StreamConfig
	trouble incident
}

func (f *follower) run() {
	again := backoff{RetryConfig: f.config.Retry}
	for f.soft.Err() == nil {
		err := f.follow(func() { again.reset(); f.trouble.over() })
		if f.soft.Err() != nil {
			return
		}
		f.status.consumerAway(f.stream.Name, err)
		f.trouble.again(err)
		again.wait(f.soft, err)
	}
}

// follow pulls until the consumer is lost or pulling ends. well is called whenever the consumer is known to be there.
func (f *follower) follow(well func()) error {
	consumer, epoch, err := f.bind()
	if err != nil {
		return err
	}
	lost := make(chan error, 1)
	consuming, err := consumer.Consume(func(m jetstream.Msg) { f.give(epoch, m) },
		jetstream.PullMaxMessagesWithBytesLimit(f.config.Pull.Messages, f.config.Pull.Bytes),
		jetstream.PullHeartbeat(heartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case lost <- err:
			default: // one is enough to look after the consumer
			}
		}))
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	defer func() {
		consuming.Drain()
		select {
		case <-consuming.Closed():
		case <-f.hard.Done():
			consuming.Stop()
			<-consuming.Closed()
		}
	}()
	return f.watch(consumer, lost, well)
}

// watch looks after a bound consumer until it is lost or pulling ends.
func (f *follower) watch(consumer jetstream.Consumer, lost <-chan error, well func()) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		switch err := f.check(consumer); {
		case err == nil:
			well()
		case f.nc.IsConnected() || f.nc.IsClosed():
			return err
		default: // the connection comes back by itself, and the consumer with it
			f.status.consumerAway(f.stream.Name, err)
			f.trouble.again(err)
		}
		select {
		case <-f.soft.Done():
			return nil
		case <-tick.C:
		case err := <-lost:
			if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConnectionClosed) {
				return err
			}
		}
	}
}

// bind makes the stream and its consumer what the settings say. The consumer's name carries the epoch: a late ack for
// a stream that has been deleted and made anew must not acknowledge another message of the same sequence.
func (f *follower) bind() (jetstream.Consumer, uint64, error) {
	ctx, cancel := context.WithTimeout(f.soft, requestTimeout)
	defer cancel()
	epoch, err := ensureStream(ctx, f.js, f.stream)
	if err != nil {
		return nil, 0, err
	}
	consumer, err := f.js.CreateOrUpdateConsumer(ctx, f.stream.Name, jetstream.ConsumerConfig{
		Durable:       "ingest-" + strconv.FormatUint(epoch, 36),
		Description:   "Carries samples into ClickHouse",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       f.config.Pull.AckWait,
		MaxAckPending: f.config.Pull.MaxAckPending,
		MaxDeliver:    -1,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("set up consumer: %w", err)
	}
	return consumer, epoch, nil
}

// check reads how far the consumer is behind; an error means that it is gone or cannot be asked.
func (f *follower) check(consumer jetstream.Consumer) error {
	if !f.nc.IsConnected() {
		return errNotConnected
	}
	ctx, cancel := context.WithTimeout(f.soft, requestTimeout)
	defer cancel()
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at consumer: %w", err)
	}
	f.status.consumerSeen(f.stream.Name, info.NumPending, info.NumAckPending)
	return nil
}

// give hands a message on; it blocks while the pipeline is full, and so does pulling.
func (f *follower) give(epoch uint64, m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		f.log.Error("message without a JetStream reply subject", "stream", f.stream.Name, "error", err)
		return
	}
	given := message{
		receipt: receipt{reply: m.Reply(), epoch: epoch, seq: meta.Sequence.Stream, storedAt: meta.Timestamp.UnixMilli()},
		subject: m.Subject(), data: m.Data(), delivered: meta.NumDelivered,
	}
	if h := m.Headers(); len(h) > 0 {
		given.encoding = h.Get("Content-Encoding")
	}
	select {
	case f.out <- given:
	case <-f.hard.Done():
		_ = f.delay(&given.receipt)
	}
}
