package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
)

// answers are the words for a message. The receipts keep only the reply subject, so that a batch that waits for ClickHouse does not
// hold its messages' bodies, too.
// An ack is the empty word: it means the same as +ACK and is the least to send.
type answers struct{ ack, progress, nak []byte }

// checkEvery is how often a consumer is looked at: for its lag, and whether it is still there.
const checkEvery = 2 * time.Second

// heartbeat is how often JetStream says that a pull request is still known; two missed ones start another request.
const heartbeat = 2 * time.Second

// requestTimeout bounds one request to JetStream's API.
const requestTimeout = 5 * time.Second

// puller is the source of the pipeline: one durable pull consumer a stream and partition that it owns, all giving into
// one channel.
type puller struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	config   Config
	status   *status
	log      *slog.Logger
	instance string
	ledger   *ledger

	say     answers
	out     chan message
	soft    context.Context // ends: pull no more
	stopNow context.CancelFunc
	hard    context.Context // ends: give up what was pulled and not taken
	dropNow context.CancelFunc
	loops   sync.WaitGroup
	keeper  *keeper // of keep
	members *members
	kvGood  bool            // of keep: the last round worked
	hold    context.Context // ends: renew no lease any more
	letGo   context.CancelFunc
	kept    chan struct{} // closes after letGo

	epochs sync.Mutex // held while a stream's epoch is renewed

	lastMu    sync.Mutex
	lastReply map[uint64]string // by epoch: the reply subject of the last message acked or terminated
}

func newPuller(nc *nats.Conn, js jetstream.JetStream, c Config, s *status, log *slog.Logger, l *ledger) *puller {
	p := &puller{
		nc: nc, js: js, config: c, status: s, log: log, instance: l.instance, ledger: l,
		members: newMembers(l.instance, &c.Partitions),
		say:     answers{progress: []byte("+WPI"), nak: []byte("-NAK")},
		out:     make(chan message, 1024), lastReply: map[uint64]string{}, kept: make(chan struct{}),
	}
	p.hard, p.dropNow = context.WithCancel(context.Background())
	p.soft, p.stopNow = context.WithCancel(p.hard)
	p.hold, p.letGo = context.WithCancel(context.Background())
	return p
}

// start begins to take partitions and to pull. The channel closes after stop, once everything pulled has been taken.
func (p *puller) start() {
	p.loops.Add(1) // until keep takes no more partitions
	go p.keep()
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
		if !m.word() {
			_ = p.delay(&m.receipt)
		}
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

// lane is the way of messages of one stream's incarnation and one partition through one consumer.
type lane struct {
	term   *term
	epochs schema.Epochs
	// known is the highest sequence of the present epoch that earlier owners may have stored.
	known uint64
}

// mayBeStored tells whether earlier owners, or the platform that a backup was made of, may have stored a message.
func (l *lane) mayBeStored(seq uint64) bool { return seq <= l.known || l.epochs.Earlier(seq) }

// lost tells whether the partition is another's by now.
func (l *lane) lost() bool { return l != nil && l.term.lost() }

// follower keeps one stream's consumer of one partition alive for as long as the term lasts and the puller pulls.
type follower struct {
	*puller
	stream  jetstream.StreamConfig
	term    *term
	name    string // for people
	trouble incident
}

func (f *follower) run() {
	again := backoff{RetryConfig: f.config.Retry}
	for f.term.ctx.Err() == nil {
		err := f.follow(func() { again.reset(); f.trouble.over() })
		if f.term.ctx.Err() != nil {
			break
		}
		f.status.consumerAway(f.name, err)
		f.trouble.again(err)
		again.wait(f.term.ctx, err)
	}
	if f.term.lost() {
		f.status.consumerGone(f.name)
	}
}

// follow pulls until the consumer is lost or pulling ends. well is called whenever the consumer is known to be there.
func (f *follower) follow(well func()) error {
	consumer, lane, err := f.bind()
	if err != nil {
		return err
	}
	lost := make(chan error, 1)
	consuming, err := consumer.Consume(func(m jetstream.Msg) { f.give(lane, m) },
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

// watch looks after a bound consumer until it is lost or pulling ends. A NATS server that was away may have forgotten
// acks: the consumer is bound anew, which asks what is stored.
func (f *follower) watch(consumer jetstream.Consumer, lost <-chan error, well func()) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	reconnects := f.nc.Stats().Reconnects
	for {
		switch err := f.check(consumer); {
		case err == nil && f.nc.Stats().Reconnects != reconnects:
			return errReconnected
		case err == nil:
			well()
		case f.nc.IsConnected() || f.nc.IsClosed():
			return err
		default: // the connection comes back by itself, and the consumer with it
			f.status.consumerAway(f.name, err)
			f.trouble.again(err)
		}
		select {
		case <-f.term.ctx.Done():
			return nil
		case <-tick.C:
		case err := <-lost:
			if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConnectionClosed) {
				return err
			}
		}
	}
}

var errReconnected = errors.New("connected to NATS again")

// bind makes the stream and its consumer what the settings say, and asks how far earlier owners got. The consumer's name
// carries the epoch and the term: a late ack for a stream that has been made anew, or of an earlier owner, must not
// acknowledge a message, and what an earlier owner had pulled is delivered at once.
func (f *follower) bind() (jetstream.Consumer, *lane, error) {
	ctx, cancel := context.WithTimeout(f.term.ctx, requestTimeout)
	defer cancel()
	epochs, stream, err := ensureStream(ctx, f.js, f.stream)
	if err != nil {
		return nil, nil, err
	}
	name := consumerName(epochs.Now, f.term)
	if err := f.sweep(ctx, stream, name); err != nil {
		return nil, nil, err
	}
	config := jetstream.ConsumerConfig{
		Durable:       name,
		Description:   "Carries samples into ClickHouse",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       f.config.Pull.AckWait,
		MaxAckPending: f.config.Pull.MaxAckPending,
		MaxDeliver:    -1,
		// A NATS that restarts with a consumer on disk may take a message for acknowledged that its work queue still has,
		// and never deliver it again. Without it the consumer is made anew, and what is stored is asked. It also saves
		// the server a tenth of its time while a backlog drains.
		MemoryStorage: true,
	}
	if filters := partitionFilters(f.term.partition, f.config.Partitions.Count); len(filters) == 1 {
		config.FilterSubject = filters[0]
	} else {
		config.FilterSubjects = filters
	}
	consumer, err := f.js.CreateOrUpdateConsumer(ctx, f.stream.Name, config)
	if err != nil {
		return nil, nil, fmt.Errorf("set up consumer: %w", err)
	}
	known, err := f.ledger.highest(ctx, epochs.Now, stream.CachedInfo().State.FirstSeq)
	if err != nil {
		return nil, nil, err
	}
	if err := f.checkSequences(ctx, stream, epochs, known); err != nil {
		return nil, nil, err
	}
	return consumer, &lane{term: f.term, epochs: epochs, known: known}, nil
}

var errRepeats = errors.New("the stream has lost messages that it had confirmed, and repeats their sequences under a new epoch")

// checkSequences renews the epoch of a stream that does not know sequences which are stored: NATS lost its newest
// messages, most likely by a power cut, and what comes now must not be taken for them. Messages that were stored and not
// acknowledged then are stored once more, unless their publisher numbered them.
func (f *follower) checkSequences(ctx context.Context, stream jetstream.Stream, epochs schema.Epochs, known uint64) error {
	f.epochs.Lock() // one follower renews it, the others find it renewed
	defer f.epochs.Unlock()
	info, err := stream.Info(ctx) // after known was asked: other partitions go on
	if err != nil {
		return fmt.Errorf("look at stream: %w", err)
	}
	if known <= info.State.LastSeq {
		return nil
	}
	if now, err := epochsOf(info); err != nil || !now.Same(epochs) {
		return errors.Join(errRepeats, err)
	}
	f.log.Error(errRepeats.Error(), "stream", f.stream.Name, "stored", known, "last", info.State.LastSeq)
	return errors.Join(errRepeats, renewEpoch(ctx, f.js, f.stream))
}

const consumerPrefix = "ingest-"

// consumerName is ingest-<epoch>-<partition>-<term>.
func consumerName(epoch uint64, t *term) string {
	return consumerPrefix + strconv.FormatUint(epoch, 36) + "-" + t.partition + "-" + strconv.FormatUint(t.revision, 36)
}

// sweep deletes consumers that earlier terms, settings or versions left, and that would keep ours from being made.
func (f *follower) sweep(ctx context.Context, stream jetstream.Stream, own string) error {
	names := stream.ConsumerNames(ctx)
	var old []string
	for name := range names.Name() {
		if name != own && f.replaces(name) {
			old = append(old, name)
		}
	}
	if err := names.Err(); err != nil {
		return fmt.Errorf("list consumers: %w", err)
	}
	for _, name := range old {
		if err := stream.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("delete consumer %s: %w", name, err)
		}
	}
	return nil
}

// replaces tells whether a consumer is of this partition, or of none of the present settings.
func (f *follower) replaces(name string) bool {
	rest, ours := strings.CutPrefix(name, consumerPrefix)
	if !ours {
		return false
	}
	words := strings.Split(rest, "-")
	return len(words) != 3 || words[1] == f.term.partition ||
		!slices.Contains(partitionNames(f.config.Partitions.Count), words[1])
}

// check reads how far the consumer is behind; an error means that it is gone or cannot be asked.
func (f *follower) check(consumer jetstream.Consumer) error {
	if !f.nc.IsConnected() {
		return errNotConnected
	}
	ctx, cancel := context.WithTimeout(f.term.ctx, requestTimeout)
	defer cancel()
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at consumer: %w", err)
	}
	f.status.consumerSeen(f.name, info.NumPending, info.NumAckPending)
	return nil
}

// give hands a message on; it blocks while the pipeline is full, and so does pulling.
func (f *follower) give(l *lane, m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		f.log.Error("message without a JetStream reply subject", "stream", f.stream.Name, "error", err)
		return
	}
	seq := meta.Sequence.Stream
	given := message{
		receipt: receipt{
			reply: m.Reply(), epoch: l.epochs.Of(seq), seq: seq, storedAt: meta.Timestamp.UnixMilli(),
			lane: l, doubtful: l.mayBeStored(seq) || meta.NumDelivered > 1,
		},
		subject: publishedSubject(m.Subject()), data: m.Data(), delivered: meta.NumDelivered,
	}
	if h := m.Headers(); len(h) > 0 {
		given.encoding, given.id = h.Get("Content-Encoding"), h.Get(jetstream.MsgIDHeader)
	}
	select {
	case f.out <- given:
	case <-f.hard.Done():
		_ = f.delay(&given.receipt)
	case <-f.term.ctx.Done():
		if f.term.lost() {
			return
		}
		select { // pulling ends; what was pulled is still taken
		case f.out <- given:
		case <-f.hard.Done():
			_ = f.delay(&given.receipt)
		}
	}
}
