package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"corrosion/ingest/publish"
	"corrosion/schema"
)

// flushWait is how long the end of a run waits for the last acknowledgements.
const flushWait = 10 * time.Second

// Publisher takes samples; *publish.Publisher is one.
type Publisher interface {
	Add(ctx context.Context, s *schema.Sample) error
	Send(ctx context.Context) error
	Flush(ctx context.Context) (publish.Counts, error)
	Counts() publish.Counts
}

// Options of Run.
type Options struct {
	// Servers is how many, at least 1.
	Servers int
	// Interval is between two samples of one server.
	Interval time.Duration
	// Rate, samples a second over all servers, sets the interval instead where it is above 0.
	Rate float64
	// Duration ends the run; 0 = when ctx ends.
	Duration time.Duration
	// Seed chooses the servers; the same seed gives the same.
	Seed uint64
	// Publisher carries the license and how many samples make a message (game servers send 1).
	Publisher Publisher
	// Progress is called about once a second; may be nil.
	Progress func(Report)
	Logger   *slog.Logger
}

// DefaultOptions is one small network, a sample every 10 s from each.
func DefaultOptions() Options {
	return Options{Servers: 50, Interval: 10 * time.Second, Seed: 1}
}

// Validate tells every fault of o at once.
func (o Options) Validate() error {
	var faults []error
	if o.Servers < 1 {
		faults = append(faults, fmt.Errorf("servers %d: must be at least 1", o.Servers))
	}
	if o.Rate < 0 || o.Rate > 1e7 {
		faults = append(faults, fmt.Errorf("rate %g: must be 0 (unset) to 10,000,000 samples a second", o.Rate))
	}
	if o.Rate == 0 && o.Interval < time.Millisecond {
		faults = append(faults, fmt.Errorf("interval %v: must be at least 1ms", o.Interval))
	}
	if o.Duration < 0 {
		faults = append(faults, fmt.Errorf("duration %v: must not be negative", o.Duration))
	}
	if o.Publisher == nil {
		faults = append(faults, errors.New("publisher is missing"))
	}
	return errors.Join(faults...)
}

// interval is what Rate or Interval make it.
func (o Options) interval() time.Duration {
	if o.Rate > 0 {
		return max(1, time.Duration(float64(o.Servers)/o.Rate*float64(time.Second)))
	}
	return o.Interval
}

// Report is what a run has published so far.
type Report struct {
	Samples  uint64        // handed to the publisher
	Messages uint64        // that held them
	Acked    uint64        // samples stored by JetStream
	Refused  uint64        // samples given up
	Retries  uint64        // repetitions of messages
	Elapsed  time.Duration // since the start
	Rate     float64       // acknowledged samples a second
}

func report(c, before publish.Counts, elapsed time.Duration) Report {
	r := Report{
		Samples: c.Sent - before.Sent, Messages: c.Messages - before.Messages, Acked: c.Acked - before.Acked,
		Refused: c.Refused - before.Refused, Retries: c.Retries - before.Retries, Elapsed: elapsed,
	}
	if elapsed > 0 {
		r.Rate = float64(r.Acked) / elapsed.Seconds()
	}
	return r
}

// String is the report in one line.
func (r Report) String() string {
	return fmt.Sprintf("%d samples in %d messages, %d stored, %d refused, %d retries, %.1f s, %.1f samples/s",
		r.Samples, r.Messages, r.Acked, r.Refused, r.Retries, r.Elapsed.Seconds(), r.Rate)
}

// Run publishes live samples until ctx ends or Duration is over; both are a good end. It returns an error when the
// publisher fails for good or samples were refused.
func Run(ctx context.Context, o Options) (Report, error) {
	if err := o.Validate(); err != nil {
		return Report{}, err
	}
	network, err := NewNetwork(o.Seed, o.Servers, Every(o.interval()))
	if err != nil {
		return Report{}, err
	}
	if o.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	start, before := time.Now(), o.Publisher.Counts()
	tick := newTicker(o.Progress, func() Report { return report(o.Publisher.Counts(), before, time.Since(start)) })
	live := newFeed(ctx, o.Publisher)
	defer live.close()
	err = network.Live(ctx, start, live.add, func() error { tick(); return live.send() })
	counts, flushErr := finish(ctx, o.Publisher)
	return report(counts, before, time.Since(start)), errors.Join(err, flushErr)
}

// feed publishes until some time after its context has ended, so that samples in hand still go out.
type feed struct {
	ctx   context.Context
	p     Publisher
	close context.CancelFunc
}

func newFeed(ctx context.Context, p Publisher) feed {
	longer, cancel := graceful(ctx, flushWait)
	return feed{ctx: longer, p: p, close: cancel}
}

func (f feed) add(s *schema.Sample) error { return f.p.Add(f.ctx, s) }
func (f feed) send() error                { return f.p.Send(f.ctx) }

// graceful is a context that outlives ctx by wait.
func graceful(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(wait, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// finish waits for the last acknowledgements, also when ctx has ended.
func finish(ctx context.Context, p Publisher) (publish.Counts, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWait)
	defer cancel()
	return p.Flush(ctx)
}

// newTicker calls progress at most once a second.
func newTicker(progress func(Report), now func() Report) func() {
	if progress == nil {
		return func() {}
	}
	last := time.Now()
	return func() {
		if time.Since(last) >= time.Second {
			last = time.Now()
			progress(now())
		}
	}
}
