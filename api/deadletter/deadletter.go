// Package deadletter reads, replays and purges the samples that could not be stored.
package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/propagation"

	"corrosion/schema"
)

// ErrNotFound says that there is no letter of that number.
var ErrNotFound = errors.New("no such dead letter")

// ErrCut says that a letter cannot be replayed because its bytes were cut.
var ErrCut = errors.New("the letter's bytes were cut")

// MaxList bounds how many letters List returns.
const MaxList = 1000

// requestLimit bounds one question to JetStream.
const requestLimit = 10 * time.Second

// Letter is one bad sample or message. Body is the bad bytes; List leaves it out.
type Letter struct {
	Number   uint64    `json:"number"`
	At       time.Time `json:"at"`
	License  string    `json:"license"`
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail"`
	Subject  string    `json:"subject"`
	Epoch    uint64    `json:"epoch"`
	Seq      uint64    `json:"seq"`
	Idx      int       `json:"idx"`
	Encoding string    `json:"encoding,omitempty"`
	// Truncated is the length of the bytes before they were cut, 0 where they are whole.
	Truncated int    `json:"truncated,omitempty"`
	Size      int    `json:"size"`
	Body      []byte `json:"body,omitempty"`
}

// Filter chooses letters; an empty field chooses all. After is the number behind which to begin.
type Filter struct {
	License string
	Reason  string
	After   uint64
}

// Office works on the stream of dead letters.
type Office struct{ js jetstream.JetStream }

// NewOffice uses a connection that may read and change STATS_DEAD and publish stats.
func NewOffice(conn *nats.Conn) (*Office, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	return &Office{js: js}, nil
}

func (o *Office) stream(ctx context.Context) (jetstream.Stream, error) {
	stream, err := o.js.Stream(ctx, schema.StreamDead)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", schema.StreamDead, err)
	}
	return stream, nil
}

// List returns up to limit letters, oldest first, without their bodies; limit is 1 to MaxList.
func (o *Office) List(ctx context.Context, f Filter, limit int) ([]Letter, error) {
	if limit < 1 || limit > MaxList {
		return nil, fmt.Errorf("limit %d: must be 1 to %d", limit, MaxList)
	}
	var letters []Letter
	err := o.each(ctx, f, func(l Letter) (bool, error) {
		letters = append(letters, l)
		return len(letters) < limit, nil
	})
	return letters, err
}

// Show returns one letter with its body.
func (o *Office) Show(ctx context.Context, number uint64) (Letter, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	stream, err := o.stream(ctx)
	if err != nil {
		return Letter{}, err
	}
	raw, err := stream.GetMsg(ctx, number)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Letter{}, fmt.Errorf("letter %d: %w", number, ErrNotFound)
	}
	if err != nil {
		return Letter{}, fmt.Errorf("read letter %d: %w", number, err)
	}
	letter := read(raw.Subject, raw.Header)
	letter.Number, letter.At, letter.Size, letter.Body = raw.Sequence, raw.Time, len(raw.Data), raw.Data
	return letter, nil
}

// Replay publishes a letter's bytes again on the subject they came from and removes the letter once JetStream has
// confirmed them. What is still bad comes back as a new letter. A letter whose bytes were cut is refused. A sample without
// ts gets the time of the replay.
func (o *Office) Replay(ctx context.Context, number uint64) error {
	letter, err := o.Show(ctx, number)
	if err != nil {
		return err
	}
	if letter.Truncated > 0 {
		return fmt.Errorf("replay letter %d: only %d of its %d bytes were kept: %w", number, letter.Size, letter.Truncated, ErrCut)
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	message := nats.NewMsg(letter.Subject)
	message.Data = letter.Body
	message.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("dead-%d-%d", letter.At.UnixNano(), number))
	if letter.Encoding != "" {
		message.Header.Set(schema.DeadEncoding, letter.Encoding)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(message.Header))
	if _, err := o.js.PublishMsg(ctx, message); err != nil {
		return fmt.Errorf("replay letter %d: %w", number, err)
	}
	return o.Remove(ctx, number)
}

// Remove removes one letter for good; one that is not there is fine.
func (o *Office) Remove(ctx context.Context, number uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	stream, err := o.stream(ctx)
	if err != nil {
		return err
	}
	if err := stream.DeleteMsg(ctx, number); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("remove letter %d: %w", number, err)
	}
	return nil
}

// ReplayAll replays every letter that f chooses and was there when it began; done is told after each. It goes on after a
// letter that cannot be replayed and returns all faults.
func (o *Office) ReplayAll(ctx context.Context, f Filter, done func(replayed int)) (replayed int, err error) {
	return o.forAll(ctx, f, done, o.Replay)
}

// Purge removes every letter that f chooses and was there when it began.
func (o *Office) Purge(ctx context.Context, f Filter, done func(purged int)) (purged int, err error) {
	return o.forAll(ctx, f, done, o.Remove)
}

func (o *Office) forAll(ctx context.Context, f Filter, done func(int), do func(context.Context, uint64) error) (n int, err error) {
	var faults []error
	err = o.each(ctx, f, func(l Letter) (bool, error) {
		if err := do(ctx, l.Number); err != nil {
			if ctx.Err() != nil {
				return false, err
			}
			faults = append(faults, err)
			return len(faults) < 10, nil
		}
		n++
		done(n)
		return true, nil
	})
	return n, errors.Join(append(faults, err)...)
}

// each calls visit for every letter that f chooses and that is there now, oldest first, until visit says no more.
func (o *Office) each(ctx context.Context, f Filter, visit func(Letter) (more bool, err error)) error {
	stream, err := o.stream(ctx)
	if err != nil {
		return err
	}
	last := stream.CachedInfo().State.LastSeq
	config := jetstream.OrderedConsumerConfig{HeadersOnly: true, DeliverPolicy: jetstream.DeliverAllPolicy}
	if f.After > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, f.After+1
	}
	if f.License != "" {
		config.FilterSubjects = []string{schema.DeadSubject(f.License)}
	}
	consumer, err := stream.OrderedConsumer(ctx, config)
	if err != nil {
		return fmt.Errorf("read %s: %w", schema.StreamDead, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", schema.StreamDead, err)
	}
	for pending := info.NumPending; pending > 0; {
		message, err := consumer.Next(jetstream.FetchMaxWait(requestLimit))
		if err != nil {
			return fmt.Errorf("read %s: %w", schema.StreamDead, err)
		}
		meta, err := message.Metadata()
		if err != nil || meta.Sequence.Stream > last {
			return err
		}
		pending = meta.NumPending
		letter := read(message.Subject(), message.Headers())
		letter.Number, letter.At = meta.Sequence.Stream, meta.Timestamp
		letter.Size, _ = strconv.Atoi(message.Headers().Get("Nats-Msg-Size"))
		if f.Reason != "" && f.Reason != letter.Reason {
			continue
		}
		if more, err := visit(letter); err != nil || !more {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// read takes a letter from its subject and headers.
func read(subject string, h nats.Header) Letter {
	l := Letter{Reason: h.Get(schema.DeadReason), Detail: h.Get(schema.DeadDetail), Subject: h.Get(schema.DeadOf), Encoding: h.Get(schema.DeadEncoding)}
	if prefix := schema.DeadSubject(""); len(subject) > len(prefix) {
		l.License = subject[len(prefix):]
	}
	l.Epoch, _ = strconv.ParseUint(h.Get(schema.DeadEpoch), 10, 64)
	l.Seq, _ = strconv.ParseUint(h.Get(schema.DeadSeq), 10, 64)
	l.Idx, _ = strconv.Atoi(h.Get(schema.DeadIdx))
	l.Truncated, _ = strconv.Atoi(h.Get(schema.DeadTruncated))
	return l
}

// JetStream is what the office works on, for those who ask how much waits in streams.
func (o *Office) JetStream() jetstream.JetStream { return o.js }
