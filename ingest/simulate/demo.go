package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// The demo network.
const (
	DemoServers  = 50
	DemoHistory  = 30 * 24 * time.Hour
	DemoInterval = 10 * time.Second
	// demoOldInterval holds for what is older than demoFresh.
	demoOldInterval = time.Minute
	demoFresh       = 24 * time.Hour
	demoSeed        = 0xd340
	// demoChunk is how many samples are filled between two saves: under a second of work.
	demoChunk = 75_000
)

// DemoLicense is the license of the demo network.
var DemoLicense = uuid.MustParse("00000000-0000-4000-8000-00000000d340")

// Span is a half-open stretch of time [From, To).
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// DemoState is what the caller keeps from one start to the next, e.g. as JSON.
type DemoState struct {
	// Schedule is when the demo's servers measured and measure; their counters follow from it.
	Schedule Schedule `json:"schedule"`
	// Pending is the history still to be filled, oldest first.
	Pending []Span `json:"pending"`
}

// DemoOptions of Demo.
type DemoOptions struct {
	Publisher Publisher
	// Last is the time of the newest sample that is stored; zero = none.
	Last time.Time
	// State as it was last saved; empty at the first start.
	State DemoState
	// Save keeps a state: before anything is published, and after each chunk of history that JetStream has stored. An
	// error ends the demo.
	Save func(DemoState) error
	// Progress is told how many samples of the history are made, of how many at most; may be nil.
	Progress func(done, total uint64)
	Logger   *slog.Logger
}

// Demo publishes the demo network: live from now on, every 10 s a server, and beside that the missing history, newest
// first so that charts of the last day show within seconds: 30 days at first, later what was pending and the time since
// Last. It runs until ctx ends, which is no error.
//
// History goes in chunks of some minutes to a day of time. A stop by ctx ends between two of them, so nothing is lost or
// doubled; after a kill the chunk under way is repeated.
func Demo(ctx context.Context, o DemoOptions) (Report, error) {
	if o.Publisher == nil {
		return Report{}, errors.New("publisher is missing")
	}
	start, before := time.Now(), o.Publisher.Counts()
	o.State = o.State.at(start, o.Last)
	if err := o.save(); err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	filled := make(chan error, 1)
	go func() {
		err := o.backfill(ctx)
		if err != nil {
			cancel(err)
		}
		filled <- err
	}()
	err := o.live(ctx, start)
	cancel(err)
	backfillErr := <-filled
	counts, flushErr := finish(ctx, o.Publisher)
	return report(counts, before, time.Since(start)), errors.Join(err, backfillErr, flushErr)
}

func (o DemoOptions) save() error {
	if o.Save == nil {
		return nil
	}
	state := DemoState{Schedule: slices.Clone(o.State.Schedule), Pending: slices.Clone(o.State.Pending)}
	if err := o.Save(state); err != nil {
		return fmt.Errorf("save demo state: %w", err)
	}
	return nil
}

// at is the state with which a demo starts at start when last is the newest sample stored.
func (d DemoState) at(start, last time.Time) DemoState {
	oldest := start.Add(-DemoHistory).Truncate(demoOldInterval)
	gap := last.Add(time.Millisecond)
	for _, s := range d.Pending {
		gap = latest(gap, s.To)
	}
	gap = latest(gap, oldest)
	next := DemoState{Schedule: d.Schedule.resumed(gap, start)}
	for _, s := range append(slices.Clone(d.Pending), Span{From: gap, To: start}) {
		if s.From = latest(s.From, oldest); s.From.Before(s.To) {
			next.Pending = append(next.Pending, s)
		}
	}
	return next
}

// resumed is the demo's schedule when the stretch from gap to start has to be filled: every 10 s in the last day, every
// minute before; what came before the gap was as s says.
func (s Schedule) resumed(gap, start time.Time) Schedule {
	fresh := start.Add(-demoFresh).Truncate(demoOldInterval)
	next := slices.Clone(s)
	if len(next) == 0 {
		next = Every(DemoInterval)
	}
	if gap.Before(fresh) {
		next = slices.DeleteFunc(next, func(x Segment) bool { return !x.From.Before(gap) && !x.From.IsZero() })
		next = append(next, Segment{From: gap, Interval: demoOldInterval}, Segment{From: fresh, Interval: DemoInterval})
	}
	for len(next) > 1 && next[1].From.Before(start.Add(-DemoHistory-2*demoFresh)) {
		next = next[1:]
	}
	return next
}

func (o DemoOptions) live(ctx context.Context, start time.Time) error {
	network, err := NewNetwork(demoSeed, DemoServers, o.State.Schedule)
	if err != nil {
		return err
	}
	f := newFeed(ctx, o.Publisher)
	defer f.close()
	return network.Live(ctx, start, f.add, f.send)
}

// backfill fills what is pending from the newest moment to the oldest; nil when ctx ends.
func (o DemoOptions) backfill(ctx context.Context) error {
	network, err := NewNetwork(demoSeed, DemoServers, o.State.Schedule)
	if err != nil {
		return err
	}
	b := backfill{DemoOptions: o, network: network}
	for _, s := range o.State.Pending {
		b.total += network.Due(s.From, s.To)
	}
	return b.fill(ctx)
}

type backfill struct {
	DemoOptions
	network     *Network
	done, total uint64
}

func (b *backfill) fill(ctx context.Context) error {
	for len(b.State.Pending) > 0 && ctx.Err() == nil {
		last := &b.State.Pending[len(b.State.Pending)-1]
		from := b.chunkStart(*last)
		if err := b.chunk(ctx, from, last.To); err != nil {
			return err
		}
		if last.To = from; !last.From.Before(from) {
			b.State.Pending = b.State.Pending[:len(b.State.Pending)-1]
		}
		if err := b.save(); err != nil {
			return err
		}
	}
	return nil
}

// chunkStart is where the chunk that ends with s begins: a whole interval that leaves about demoChunk samples.
func (b *backfill) chunkStart(s Span) time.Time {
	for length := demoFresh; length > time.Hour; length /= 2 {
		from := s.To.Add(-length).Truncate(demoOldInterval)
		if b.network.Due(from, s.To) <= demoChunk {
			return latest(from, s.From)
		}
	}
	return latest(s.To.Add(-time.Hour).Truncate(demoOldInterval), s.From)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// chunk publishes [from, to) and waits until JetStream has it. A stop lets it end well.
func (b *backfill) chunk(ctx context.Context, from, to time.Time) error {
	ctx, cancel := graceful(ctx, flushWait)
	defer cancel()
	err := b.network.Backfill(ctx, from, to, func(s *schema.Sample) error { return b.Publisher.Add(ctx, s) })
	if err == nil {
		_, err = b.Publisher.Flush(ctx)
	}
	if err != nil {
		return fmt.Errorf("backfill from %s: %w", from.UTC().Format(time.RFC3339), err)
	}
	b.done += b.network.Due(from, to)
	if b.Progress != nil {
		b.Progress(b.done, b.total)
	}
	return nil
}
