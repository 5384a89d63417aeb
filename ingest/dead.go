package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
)

// maxDetail bounds the detail header, bytes.
const maxDetail = 512

// letter is one dead letter.
type letter struct {
	subject  string // of the bad message
	license  string // as published
	reason   string
	detail   string
	encoding string
	epoch    uint64
	seq      uint64
	idx      int
	body     []byte
	buried   bool // confirmed by JetStream
	lane     *lane
}

// graveyard publishes dead letters. It is not safe for concurrent use.
type graveyard struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	config jetstream.StreamConfig
	ready  bool // the stream has been set up
}

// graveWindow is how many letters are on their way at once.
const graveWindow = 256

func newGraveyard(nc *nats.Conn, c StreamsConfig) (*graveyard, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(graveWindow), jetstream.WithPublishAsyncTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	return &graveyard{nc: nc, js: js, config: deadStream(c)}, nil
}

// bury publishes every letter that is not buried yet and returns when JetStream has confirmed all. After an error it is
// called again with the same letters; the message id keeps what was stored unseen from being stored twice.
func (g *graveyard) bury(ctx context.Context, letters []letter) error {
	if len(letters) == 0 {
		return nil
	}
	if err := g.open(ctx); err != nil {
		return err
	}
	for len(letters) > 0 {
		n := min(len(letters), graveWindow)
		if err := g.buryWindow(ctx, letters[:n]); err != nil {
			g.ready = false
			return fmt.Errorf("publish dead letters: %w", err)
		}
		letters = letters[n:]
	}
	return nil
}

func (g *graveyard) open(ctx context.Context) error {
	if g.ready {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, _, err := ensureStream(ctx, g.js, g.config); err != nil {
		return err
	}
	g.ready = true
	return nil
}

func (g *graveyard) buryWindow(ctx context.Context, letters []letter) error {
	futures := make([]jetstream.PubAckFuture, len(letters))
	var faults []error
	for i := range letters {
		if letters[i].buried {
			continue
		}
		future, err := g.js.PublishMsgAsync(g.envelope(&letters[i]), jetstream.WithExpectStream(schema.StreamDead))
		if err != nil {
			faults = append(faults, err)
			break
		}
		futures[i] = future
	}
	for i, future := range futures {
		if future == nil {
			continue
		}
		select {
		case <-future.Ok():
			letters[i].buried = true
		case err := <-future.Err():
			faults = append(faults, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(faults) > 3 { // all alike, most likely
		faults = faults[:3]
	}
	return errors.Join(faults...)
}

// envelope is the letter as a message that JetStream takes.
func (g *graveyard) envelope(l *letter) *nats.Msg {
	m := nats.NewMsg(schema.DeadSubject(l.license))
	m.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("%d-%d-%d", l.epoch, l.seq, l.idx))
	m.Header.Set(schema.DeadReason, l.reason)
	m.Header.Set(schema.DeadDetail, headerText(l.detail, maxDetail))
	m.Header.Set(schema.DeadOf, l.subject)
	m.Header.Set(schema.DeadEpoch, strconv.FormatUint(l.epoch, 10))
	m.Header.Set(schema.DeadSeq, strconv.FormatUint(l.seq, 10))
	m.Header.Set(schema.DeadIdx, strconv.Itoa(l.idx))
	m.Data = l.body
	encoding := l.encoding
	room := int(g.nc.MaxPayload()) - 4<<10 // headers count as payload, too
	if len(m.Data) > room {
		if encoding == "" {
			m.Data, encoding = compress(l.body), "zstd"
		}
		if len(m.Data) > room {
			m.Header.Set(schema.DeadTruncated, strconv.Itoa(len(l.body)))
			m.Data, encoding = l.body[:min(len(l.body), room)], l.encoding
		}
	}
	if encoding != "" {
		m.Header.Set("Content-Encoding", headerText(encoding, 64))
	}
	return m
}

// compress is for the rare letter that is longer than a message may be.
func compress(body []byte) []byte {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return body // impossible with these options; the body is cut instead
	}
	defer encoder.Close()
	return encoder.EncodeAll(body, nil)
}

// headerText makes s fit for a header: one line, bounded, valid.
func headerText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return strings.TrimSpace(s)
}

// rejectLog writes at most one line an interval about rejected samples, and counts the others.
type rejectLog struct {
	incident
}

func (r *rejectLog) reject(l *letter) {
	r.again(errors.New(l.reason), "detail", headerText(l.detail, 200), "subject", l.subject, "seq", l.seq, "idx", l.idx,
		"see", "stream "+schema.StreamDead)
}

// quiet starts counting anew after a while without rejects.
func (r *rejectLog) quiet(after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now().Sub(r.last) > after {
		r.count, r.silent = 0, 0
	}
}
