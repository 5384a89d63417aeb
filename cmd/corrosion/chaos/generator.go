package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema/pause"
)

// publishers is how many publish side by side; every other one by way of the publishers' proxy.
const publishers = 4

// confirmWait is how long a publisher waits for JetStream's confirmation before it publishes the message again.
const confirmWait = 2 * time.Second

// storeFailed is JetStream's code for a stream that takes no more.
const storeFailed jetstream.ErrorCode = 10077

// generator publishes until stopped. A message is published again, the same under the same id, until it is confirmed.
type generator struct {
	ledger  *ledger
	journal *journal
	rate    int
	boost   atomic.Int64 // the rate's factor
	conns   []*nats.Conn

	refused, unanswered atomic.Uint64 // attempts
	confirmed           atomic.Uint64 // messages

	gate gate
	soft context.Context // ends: plan no more messages
	stop context.CancelFunc
	hard context.Context // ends: give up
	drop context.CancelFunc
	work sync.WaitGroup
}

// startGenerator connects to the URLs in turn and publishes.
func startGenerator(l *ledger, j *journal, rate int, urls []string) (*generator, error) {
	g := &generator{ledger: l, journal: j, rate: rate}
	g.boost.Store(1)
	g.hard, g.drop = context.WithCancel(context.Background())
	g.soft, g.stop = context.WithCancel(g.hard)
	for i := range publishers {
		conn, err := nats.Connect(urls[i%len(urls)], nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
			nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond), nats.ReconnectBufSize(-1), nats.Timeout(time.Second),
			nats.PingInterval(2*time.Second), nats.IgnoreDiscoveredServers(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			g.close()
			return nil, fmt.Errorf("connect a publisher: %w", err)
		}
		g.conns = append(g.conns, conn)
		js, err := jetstream.New(conn)
		if err != nil {
			g.close()
			return nil, err
		}
		g.work.Go(func() { g.publish(js) })
	}
	return g, nil
}

// finish plans no more messages and waits until all are confirmed, at most limit.
func (g *generator) finish(limit time.Duration) error {
	g.stop()
	give := time.AfterFunc(limit, g.drop)
	defer give.Stop()
	g.work.Wait()
	if g.hard.Err() != nil {
		return fmt.Errorf("messages were not confirmed within %s", limit)
	}
	return nil
}

func (g *generator) close() {
	g.drop()
	g.work.Wait()
	for _, conn := range g.conns {
		conn.Close()
	}
}

// publish is one publisher: message after message at its share of the rate.
func (g *generator) publish(js jetstream.JetStream) {
	due := time.Now()
	for g.gate.enter(g.soft) {
		e := g.ledger.next()
		g.deliver(js, e)
		g.gate.leave()
		share := float64(g.rate) * float64(g.boost.Load()) / publishers
		due = due.Add(time.Duration(float64(e.samples) / share * float64(time.Second)))
		if behind := time.Since(due); behind > time.Second {
			due = due.Add(behind) // what an outage held up is not caught up with
		}
		if !pause.For(g.soft, time.Until(due)) {
			return
		}
	}
}

// deliver publishes a message until JetStream confirms it.
func (g *generator) deliver(js jetstream.JetStream, e envelope) {
	m := nats.NewMsg(e.subject)
	m.Data = e.body
	m.Header.Set(jetstream.MsgIDHeader, e.id)
	if e.encoding != "" {
		m.Header.Set("Content-Encoding", e.encoding)
	}
	for attempts := 1; ; attempts++ {
		ack, err := g.attempt(js, m)
		if err == nil {
			g.ledger.confirm(e.number, ack.Stream, ack.Sequence, attempts)
			g.confirmed.Add(1)
			if attempts > 1 {
				g.journal.write("repeated", map[string]any{"message": e.number, "attempts": attempts, "stream": ack.Stream, "seq": ack.Sequence, "duplicate": ack.Duplicate})
			}
			return
		}
		if !pause.For(g.hard, 100*time.Millisecond) {
			return
		}
	}
}

func (g *generator) attempt(js jetstream.JetStream, m *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(g.hard, confirmWait)
	defer cancel()
	ack, err := js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	var api *jetstream.APIError
	switch {
	case err == nil:
	case errors.As(err, &api) && api.ErrorCode == storeFailed:
		g.refused.Add(1)
	default:
		g.unanswered.Add(1)
	}
	return ack, err
}

// pause waits for d; false where ctx ended first.
// gate holds publishers between two messages.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open; closes when it opens again
	inside int
}

func (g *gate) enter(ctx context.Context) bool {
	for {
		g.mu.Lock()
		closed := g.closed
		if closed == nil && ctx.Err() == nil {
			g.inside++
			g.mu.Unlock()
			return true
		}
		g.mu.Unlock()
		if closed == nil {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-closed:
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
}

// shut lets nobody in any more and tells how many are still inside.
func (g *gate) shut() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
	return g.inside
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}
