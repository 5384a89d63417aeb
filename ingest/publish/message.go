package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrTooLarge refuses a single sample that the server's max_payload does not let through.
var ErrTooLarge = errors.New("sample is larger than the server's max_payload")

// message is one message under way: published, or waiting for its next attempt.
type message struct {
	msg      *nats.Msg
	samples  int
	attempts int
	retry    *time.Timer // set while it waits
}

// sendBatch publishes b as one message, or as several where one is too large for the server. b is not to be used after.
func (p *Publisher) sendBatch(ctx context.Context, b batch) error {
	if len(b.ends) == 0 {
		return nil
	}
	err := p.sendPart(ctx, &b, 0, len(b.ends))
	p.used.Put(&b)
	return err
}

func (p *Publisher) sendPart(ctx context.Context, b *batch, lo, hi int) error {
	plain := b.plain(lo, hi)
	body, header := p.enc.encode(plain)
	if len(body)+headerRoom > int(p.nc.MaxPayload()) {
		if hi-lo == 1 {
			p.count(func(c *Counts) { c.Sent++; c.Refused++ }, ErrTooLarge)
			return nil
		}
		mid := (lo + hi) / 2
		return errors.Join(p.sendPart(ctx, b, lo, mid), p.sendPart(ctx, b, mid, hi))
	}
	m := &message{msg: &nats.Msg{Subject: b.subject, Header: header, Data: body}, samples: hi - lo}
	return p.launch(ctx, m, len(plain))
}

// launch waits for a free slot and publishes m for the first time.
func (p *Publisher) launch(ctx context.Context, m *message, plainBytes int) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return p.refuseUnsent(m, context.Cause(ctx))
	case <-p.stop:
		return p.refuseUnsent(m, ErrClosed)
	}
	p.mu.Lock()
	if p.failed != nil {
		err := p.failed
		p.mu.Unlock()
		<-p.slots
		return p.refuseUnsent(m, err)
	}
	m.msg.Header.Set(jetstream.MsgIDHeader, p.messageID())
	p.counts.Sent += uint64(m.samples)
	p.counts.Messages++
	p.counts.Bytes += uint64(len(m.msg.Data))
	p.counts.PlainBytes += uint64(plainBytes)
	p.pending[m.msg] = m
	p.mu.Unlock()
	p.publish(m.msg)
	return nil
}

func (p *Publisher) refuseUnsent(m *message, err error) error {
	p.count(func(c *Counts) { c.Sent += uint64(m.samples); c.Refused += uint64(m.samples) }, err)
	return err
}

func (p *Publisher) count(change func(*Counts), refusal error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.counts)
	if p.refusal == nil {
		p.refusal = refusal
	}
}

func (p *Publisher) publish(msg *nats.Msg) {
	if _, err := p.js.PublishMsgAsync(msg, jetstream.WithRetryAttempts(0)); err != nil {
		p.refused(msg, err)
	}
}

// acked ends a message well. It runs on the connection's ack goroutine and must not block.
func (p *Publisher) acked(msg *nats.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.pending[msg]
	if m == nil {
		return
	}
	if p.troubled {
		p.troubled = false
		p.log.Info("stream takes messages again", "retries", p.counts.Retries)
	}
	p.counts.Acked += uint64(m.samples)
	p.settle(m)
}

// refused gives a message up or plans its repetition. It must not block.
func (p *Publisher) refused(msg *nats.Msg, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.pending[msg]
	if m == nil || m.retry != nil {
		return
	}
	if isFinal(err) {
		p.giveUp(m, err)
		return
	}
	m.attempts++
	p.counts.Retries++
	wait := p.cfg.backoff(m.attempts)
	if !p.troubled {
		p.troubled = true
		p.log.Warn("stream refuses messages; repeating until it takes them", "err", err, "wait", wait)
	}
	m.retry = time.AfterFunc(wait, func() { p.repeat(m) })
}

func (p *Publisher) repeat(m *message) {
	p.mu.Lock()
	still := p.pending[m.msg] == m
	m.retry = nil
	p.mu.Unlock()
	if still {
		p.publish(m.msg)
	}
}

// giveUp counts m as refused. mu is held.
func (p *Publisher) giveUp(m *message, err error) {
	p.counts.Refused += uint64(m.samples)
	if p.refusal == nil {
		p.refusal = err
	}
	p.settle(m)
}

// settle forgets m and frees its slot. mu is held.
func (p *Publisher) settle(m *message) {
	if m.retry != nil {
		m.retry.Stop()
	}
	delete(p.pending, m.msg)
	<-p.slots
	if len(p.pending) > 0 {
		return
	}
	for _, idle := range p.idle {
		close(idle)
	}
	p.idle = nil
}

// fail ends everything: what is under way is given up and Add answers err from now on.
func (p *Publisher) fail(err error) {
	p.mu.Lock()
	if p.failed == nil {
		p.failed = fmt.Errorf("publish to license %s: %w", p.cfg.License, err)
	}
	p.mu.Unlock()
	p.giveUpAll(err)
}

func (p *Publisher) giveUpAll(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = err
	}
	for _, m := range p.pending {
		p.giveUp(m, err)
	}
}

// isFinal tells whether sending the same message again cannot help. A full or absent stream, a lost connection and a
// missing answer may pass.
func isFinal(err error) bool {
	if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrBadSubject) {
		return true
	}
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	return api.Code < http.StatusInternalServerError || strings.Contains(api.Description, "message too large")
}
