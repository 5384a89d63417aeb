package installation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema/command"
	"corrosion/schema/connect"
)

// link is the connection to NATS: the stream of commands, a consumer for each agent, and what agents say.
type link struct {
	cfg      Config
	conn     *nats.Conn
	js       jetstream.JetStream
	statuses *nats.Subscription

	mu    sync.Mutex // covers ready
	ready map[string]bool
}

// statusQueue shares the statuses between processes.
const statusQueue = "corrosion-installations"

// duplicates is how long the stream knows a command by its name: longer than a process may take to send it again.
const duplicates = 10 * time.Minute

// jetStreamLimit bounds one question to JetStream.
const jetStreamLimit = 5 * time.Second

func (m *Manager) connect() (*link, error) {
	l := &link{cfg: m.cfg, ready: map[string]bool{}}
	for range m.cfg.Listeners {
		lane := make(chan said, max(1, m.cfg.Backlog/m.cfg.Listeners))
		m.lanes = append(m.lanes, lane)
		m.work.Go(func() { m.listen(lane) }) // ends when the lane is closed
	}
	var err error
	l.conn, err = connect.NATS(m.deps.NATSURL, nats.Name("corrosion-installations"), nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.ReconnectWait(500*time.Millisecond),
		nats.ReconnectHandler(func(*nats.Conn) { l.forget(); nudge(m.wake) }), // it may be another NATS, without what we made
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			if err != nil && !c.IsClosed() {
				m.deps.Logger.Warn("installations: NATS is away; trying again", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			m.deps.Logger.Warn("installations: NATS says", "error", err)
		}))
	if err == nil {
		l.js, err = jetstream.New(l.conn)
	}
	if err == nil {
		l.statuses, err = l.conn.QueueSubscribe(command.StatusSubjects, statusQueue, m.sort)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return l, nil
}

// quiet takes no more statuses and waits for those on their way into the lanes.
func (l *link) quiet() {
	done := make(chan struct{})
	l.statuses.SetClosedHandler(func(string) { close(done) })
	if err := l.statuses.Drain(); err != nil {
		_ = l.statuses.Unsubscribe()
		return
	}
	select {
	case <-done:
	case <-time.After(jetStreamLimit):
	}
}

func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.ready)
}

func (l *link) known(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready[name]
}

func (l *link) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready[name] = true
}

// ensure makes the stream, and the consumer that carries an agent's commands to its own subject: one at a time, in order,
// again until the agent acknowledges.
func (l *link) ensure(ctx context.Context, license uuid.UUID, server string) error {
	if !l.known(command.Stream) {
		_, err := l.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: command.Stream, Description: "Commands to companion agents, until they have them", Subjects: []string{command.StreamSubjects},
			Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
			MaxBytes: l.cfg.MaxBytes, MaxAge: 2 * l.cfg.Policy.Life, MaxMsgSize: command.MaxBytes + 4096,
			Duplicates: min(duplicates, 2*l.cfg.Policy.Life), Replicas: l.cfg.Replicas,
		})
		if err != nil {
			return fmt.Errorf("set up stream %s: %w", command.Stream, err)
		}
		l.note(command.Stream)
	}
	name := command.Consumer(license, server)
	if l.known(name) {
		return nil
	}
	_, err := l.js.CreateOrUpdatePushConsumer(ctx, command.Stream, jetstream.ConsumerConfig{
		Durable: name, FilterSubject: command.StoredSubject(license, server), DeliverSubject: command.Subject(license, server),
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.cfg.AckWait,
		MaxAckPending: 1, MaxDeliver: -1,
	})
	if err != nil {
		return fmt.Errorf("set up consumer %s: %w", name, err)
	}
	l.note(name)
	return nil
}

// publish puts a command into the stream; the same id and attempt twice is once.
func (l *link) publish(ctx context.Context, c command.Command, payload []byte, signatures []string) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, jetStreamLimit)
	defer cancel()
	if err := l.ensure(ctx, c.License, c.Server); err != nil {
		return nil, err
	}
	msg := &nats.Msg{Subject: command.StoredSubject(c.License, c.Server), Data: payload, Header: nats.Header{command.SignatureHeader: signatures}}
	ack, err := l.js.PublishMsg(ctx, msg, jetstream.WithMsgID(fmt.Sprintf("%s.%d", c.ID, c.Attempt)), jetstream.WithExpectStream(command.Stream))
	if err != nil {
		l.forget() // the stream may have gone
		return nil, fmt.Errorf("send command: %w", err)
	}
	return ack, nil
}

// recall takes a command out of the stream; never is true where its agent has not had it and will not.
func (l *link) recall(ctx context.Context, license uuid.UUID, server string, seq int64) (never bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, jetStreamLimit)
	defer cancel()
	stream, err := l.js.Stream(ctx, command.Stream)
	if err != nil {
		return false, fmt.Errorf("recall command: %w", err)
	}
	if err := stream.DeleteMsg(ctx, uint64(seq)); err != nil {
		return false, fmt.Errorf("recall command: %w", err) // it was acknowledged, most likely
	}
	consumer, err := l.js.PushConsumer(ctx, command.Stream, command.Consumer(license, server))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("recall command: %w", err)
	}
	return consumer.CachedInfo().Delivered.Stream < uint64(seq), nil
}

// lane keeps what one server's agent says in order.
func lane(license uuid.UUID, server string, lanes int) int {
	h := fnv.New32a()
	_, _ = h.Write(license[:]) // never fails
	_, _ = h.Write([]byte(server))
	return int(h.Sum32() % uint32(lanes))
}
