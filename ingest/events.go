package ingest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// eventBatch and eventBytes bound the messages of marks that are stored at once, and with them memory: what is compressed
// may hold 8 MiB and is stored by itself. eventsPending is how many may be unacknowledged.
const (
	eventBatch    = 64
	eventBytes    = 256 << 10
	eventsPending = 256
)

// eventsConsumer is the one durable consumer of EVENTS; several ingesters share it.
const eventsConsumer = "marks"

// eventCarrier carries marks from the stream EVENTS into ClickHouse, at least once: a mark's id is made out of its
// message's place in the stream, so that what is stored again replaces itself. Marks are rare, so it is simple.
type eventCarrier struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	config   Config
	store    *eventStore
	graves   *graveyard
	licenses Licenses
	status   *status
	metrics  *metrics
	log      *slog.Logger
	trouble  incident
	rejects  rejectLog
	decoder  *wire.Decoder
}

func newEventCarrier(c Config, d Deps, js jetstream.JetStream, s *status, m *metrics) (*eventCarrier, error) {
	graves, err := newGraveyard(d.NATS, c.Streams)
	if err != nil {
		return nil, err
	}
	l, err := newLink(&c)
	if err != nil {
		return nil, err
	}
	s.consumerAway(schema.StreamEvents, errStarting)
	return &eventCarrier{
		nc: d.NATS, js: js, config: c, store: &eventStore{link: l, timeout: c.InsertTimeout}, graves: graves, licenses: d.Licenses,
		status: s, metrics: m, log: d.Logger, decoder: wire.NewDecoder(),
		trouble: incident{log: d.Logger, what: "carry marks", now: d.Now},
		rejects: rejectLog{incident{log: d.Logger, what: "mark rejected", now: d.Now}},
	}, nil
}

// eventStream holds marks until they are stored.
func eventStream(c StreamsConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: schema.StreamEvents, Description: "Marks, until they are stored", Subjects: []string{schema.SubjectEvents},
		Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardNew, MaxBytes: c.EventsMaxBytes, MaxMsgSize: schema.MaxMessageBytes + headerRoom,
		Duplicates: duplicatesWindow, Replicas: c.Replicas,
	}
}

// run works until ctx ends. What is held then is delivered again.
func (c *eventCarrier) run(ctx context.Context) {
	defer c.store.close()
	again := backoff{RetryConfig: c.config.Retry}
	for ctx.Err() == nil {
		err := c.follow(ctx, func() { again.reset(); c.trouble.over() })
		if ctx.Err() != nil {
			return
		}
		c.fault(err)
		again.wait(ctx, err)
	}
}

func (c *eventCarrier) fault(err error) {
	c.status.consumerAway(schema.StreamEvents, err)
	c.trouble.again(err)
}

// follow carries until the consumer is lost or ctx ends; well is called whenever the consumer is known to be there.
func (c *eventCarrier) follow(ctx context.Context, well func()) error {
	epochs, consumer, err := c.bind(ctx)
	if err != nil {
		return err
	}
	messages := make(chan jetstream.Msg)
	handing, stop := context.WithCancel(ctx)
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		select {
		case messages <- m:
		case <-handing.Done():
		}
	}, jetstream.PullMaxMessagesWithBytesLimit(eventBatch, schema.MaxMessageBytes+headerRoom), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		stop()
		return fmt.Errorf("consume marks: %w", err)
	}
	defer func() {
		stop()
		consuming.Stop()
		<-consuming.Closed()
	}()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for reconnects := c.nc.Stats().Reconnects; ; {
		if err := c.check(ctx, consumer); err != nil {
			return err
		}
		if c.nc.Stats().Reconnects != reconnects {
			return errReconnected
		}
		well()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case m := <-messages:
			if err := c.carry(ctx, epochs, gather(m, messages)); err != nil {
				return err
			}
		}
	}
}

// gather takes what comes within a moment, up to the bounds.
func gather(first jetstream.Msg, more <-chan jetstream.Msg) []jetstream.Msg {
	all, held := []jetstream.Msg{first}, weight(first)
	patience := time.NewTimer(eventPatience)
	defer patience.Stop()
	for len(all) < eventBatch && held < eventBytes {
		select {
		case m := <-more:
			all, held = append(all, m), held+weight(m)
		case <-patience.C:
			return all
		}
	}
	return all
}

// eventPatience is how long a mark waits for others: one INSERT for many of them makes one part.
const eventPatience = 50 * time.Millisecond

// weight is a message's share of eventBytes.
func weight(m jetstream.Msg) int {
	if m.Headers().Get(schema.DeadEncoding) != "" {
		return eventBytes
	}
	return len(m.Data())
}

// bind makes the stream and its consumer what the settings say. The consumer's state is kept in memory: a NATS that
// restarts delivers everything that its work queue still has, and storing it again changes nothing.
func (c *eventCarrier) bind(ctx context.Context) (epochs schema.Epochs, consumer jetstream.Consumer, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	epochs, _, err = ensureStream(ctx, c.js, eventStream(c.config.Streams))
	if err != nil {
		return epochs, nil, err
	}
	consumer, err = c.js.CreateOrUpdateConsumer(ctx, schema.StreamEvents, jetstream.ConsumerConfig{
		Durable: eventsConsumer, Description: "Carries marks into ClickHouse", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: c.config.Pull.AckWait, MaxAckPending: eventsPending, MaxDeliver: -1, MemoryStorage: true,
	})
	if err != nil {
		return epochs, nil, fmt.Errorf("set up consumer of marks: %w", err)
	}
	return epochs, consumer, nil
}

func (c *eventCarrier) check(ctx context.Context, consumer jetstream.Consumer) error {
	if !c.nc.IsConnected() {
		return errNotConnected
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at consumer of marks: %w", err)
	}
	c.status.consumerSeen(schema.StreamEvents, info.NumPending, info.NumAckPending)
	return nil
}

// haul is what some messages hold.
type haul struct {
	events  []schema.Event
	letters []letter
	acks    []jetstream.Msg
}

// carry stores messages and acknowledges them; it goes on trying until that worked or ctx ends.
func (c *eventCarrier) carry(ctx context.Context, epochs schema.Epochs, messages []jetstream.Msg) error {
	again := backoff{RetryConfig: c.config.Retry}
	var h *haul
	for {
		var err error
		if h == nil {
			h, err = c.open(ctx, epochs, messages)
		}
		if err == nil {
			err = c.keep(ctx, h)
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.metrics.retries.WithLabelValues("marks").Inc()
		c.fault(err)
		if !again.wait(ctx, err) {
			return ctx.Err()
		}
	}
	var faults []error
	for _, m := range h.acks {
		faults = append(faults, m.Ack())
	}
	return errors.Join(faults...)
}

// keep stores marks and buries letters; done twice it changes nothing.
func (c *eventCarrier) keep(ctx context.Context, h *haul) error {
	events, repeated, err := c.store.fresh(ctx, h.events)
	if err != nil {
		return err
	}
	if err := c.store.insert(ctx, events); err != nil {
		return err
	}
	if err := c.graves.bury(ctx, h.letters); err != nil {
		return err
	}
	c.metrics.events.Add(float64(len(events)))
	if repeated > 0 {
		c.metrics.duplicates.WithLabelValues("mark").Add(float64(repeated))
	}
	for i := range h.letters {
		c.metrics.letters.WithLabelValues(h.letters[i].reason).Inc()
	}
	return nil
}

// open reads messages. An error means that a license could not be looked up.
func (c *eventCarrier) open(ctx context.Context, epochs schema.Epochs, messages []jetstream.Msg) (*haul, error) {
	h := &haul{}
	known := map[uuid.UUID]bool{}
	slices.SortFunc(messages, func(a, b jetstream.Msg) int { return cmp.Compare(sequence(a), sequence(b)) })
	for _, m := range messages {
		meta, err := m.Metadata()
		if err != nil {
			c.log.Error("message without a JetStream reply subject", "stream", schema.StreamEvents, "error", err)
			continue
		}
		h.acks = append(h.acks, m)
		epoch := epochs.Of(meta.Sequence.Stream)
		token, ok := schema.ParseEventsSubject(m.Subject())
		license, err := uuid.Parse(token)
		if !ok || err != nil || len(token) != 36 {
			c.reject(h, m, epoch, token, wire.Reject{Reason: BadSubject, Detail: "the subject's second word is not a license's UUID", Bytes: m.Data(), Index: -1})
			continue
		}
		if isAcknowledgement(m.Data()) {
			c.metrics.eventsRejected.WithLabelValues(string(ForgedReply)).Inc()
			continue
		}
		if _, asked := known[license]; !asked {
			standing, err := lookup(ctx, c.licenses, license)
			if err != nil {
				return nil, fmt.Errorf("look up license: %w", err)
			}
			known[license] = standing.Known
		}
		if !known[license] {
			c.reject(h, m, epoch, token, wire.Reject{Reason: UnknownLicense, Detail: "no license " + token, Bytes: m.Data(), Index: -1})
			continue
		}
		env := wire.Envelope{License: license, StoredAt: meta.Timestamp.UnixMilli(), Epoch: epoch, Seq: meta.Sequence.Stream}
		id := strings.ToValidUTF8(m.Headers().Get(jetstream.MsgIDHeader), "?")
		stats := c.decoder.DecodeEvents(env, m.Headers().Get(schema.DeadEncoding), m.Data(), func(e *schema.Event) {
			e.MessageID = id
			h.events = append(h.events, *e)
		}, func(r wire.Reject) { c.reject(h, m, epoch, token, r) })
		c.metrics.ignored.Add(float64(stats.IgnoredFields))
	}
	return h, nil
}

func sequence(m jetstream.Msg) uint64 {
	meta, err := m.Metadata()
	if err != nil {
		return 0
	}
	return meta.Sequence.Stream
}

// reject makes a dead letter.
func (c *eventCarrier) reject(h *haul, m jetstream.Msg, epoch uint64, license string, r wire.Reject) {
	l := letter{
		subject: m.Subject(), license: license, reason: string(r.Reason), detail: r.Detail,
		epoch: epoch, seq: sequence(m), idx: r.Index, body: bytes.Clone(r.Bytes),
	}
	if r.Index < 0 {
		l.encoding = m.Headers().Get(schema.DeadEncoding)
	}
	h.letters = append(h.letters, l)
	c.metrics.eventsRejected.WithLabelValues(l.reason).Inc()
	c.rejects.reject(&l)
}
