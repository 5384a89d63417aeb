package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema/pause"
)

// backlogEvery is how often the streams are asked how full they are.
const backlogEvery = 5 * time.Second

// backlog is what waits in one stream.
type backlog struct {
	bytes, maxBytes uint64
	// oldest is when JetStream stored the oldest message that waits; zero where none does.
	oldest time.Time
}

// fill is how full the stream is, 0 to 1; 0 where it has no bound.
func (b backlog) fill() float64 {
	if b.maxBytes == 0 {
		return 0
	}
	return float64(b.bytes) / float64(b.maxBytes)
}

// lag is how long the oldest message has waited.
func (b backlog) lag(now time.Time) time.Duration {
	if b.oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(b.oldest))
}

// backlogWatch raises the alarm well before a stream is full and refuses publishers, and when samples wait too long. The
// streams are asked, not the consumers: what another ingester leaves lying counts, too.
type backlogWatch struct {
	js      jetstream.JetStream
	streams []string
	status  *status
	log     *slog.Logger
	alarm   bool
}

// run watches until ctx ends.
func (w *backlogWatch) run(ctx context.Context) {
	for pause.For(ctx, backlogEvery) {
		w.lookOnce(ctx)
	}
}

// lookOnce notes what waits now. A stream that cannot be asked keeps its last state: that NATS is away is told elsewhere.
func (w *backlogWatch) lookOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for _, name := range w.streams {
		stream, err := w.js.Stream(ctx, name)
		if err != nil {
			continue
		}
		info := stream.CachedInfo()
		seen := backlog{bytes: info.State.Bytes, maxBytes: uint64(max(0, info.Config.MaxBytes))}
		if info.State.Msgs > 0 {
			seen.oldest = info.State.FirstTime
		}
		w.status.backlogSeen(name, seen)
	}
	w.tell(w.status.backlogReasons())
}

// tell logs the first alarm and its end, not every look.
func (w *backlogWatch) tell(reasons []string) {
	switch {
	case len(reasons) > 0 && !w.alarm:
		w.log.Warn("samples pile up in JetStream", "reasons", reasons)
	case len(reasons) == 0 && w.alarm:
		w.log.Info("the backlog in JetStream is within its bounds again")
	}
	w.alarm = len(reasons) > 0
}

func (s *status) backlogSeen(stream string, b backlog) {
	s.change(func() { s.backlogs[stream] = b })
}

func (s *status) backlogReasons() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backlogReasonsLocked()
}

// backlogReasonsLocked says which bounds are passed.
func (s *status) backlogReasonsLocked() (reasons []string) {
	for _, stream := range sortedKeys(s.backlogs) {
		b := s.backlogs[stream]
		if b.fill() >= s.alarms.AlarmAt {
			reasons = append(reasons, fmt.Sprintf("%s is %.0f %% full (%d of %d MiB) and refuses publishers at 100 %%: see why ClickHouse is slow, or raise the stream's bound",
				stream, 100*b.fill(), b.bytes>>20, b.maxBytes>>20))
		}
		if lag := b.lag(s.now()); lag > s.alarms.MaxLag {
			reasons = append(reasons, fmt.Sprintf("%s lags: its oldest message has waited for %s", stream, lag.Round(time.Second)))
		}
	}
	return reasons
}
