package store

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"corrosion/schema/pause"
)

// Listening says what is listened to and who is told.
type Listening struct {
	// Channel is a name in the program's text; it is not quoted.
	Channel string
	// RetryMin and RetryMax bound the wait before Postgres is listened to again; it doubles from one to the other.
	RetryMin, RetryMax time.Duration
	// Anew is called each time that listening begins: what was told before has been missed.
	Anew func()
	// Heard gets each payload, in order. It must not wait.
	Heard  func(payload string)
	Logger *slog.Logger
}

// Listen hears a channel of Postgres until ctx ends, on a connection of its own, and comes back when that breaks.
func (s *Store) Listen(ctx context.Context, l Listening) {
	wait := l.RetryMin
	for ctx.Err() == nil {
		heard, err := s.listenOnce(ctx, l)
		if ctx.Err() != nil {
			return
		}
		if heard {
			wait = l.RetryMin
		}
		l.Logger.Warn("Postgres is not listened to; trying again", "channel", l.Channel, "error", err, "wait", wait)
		pause.For(ctx, wait-rand.N(wait/4+1))
		wait = min(2*wait, l.RetryMax)
	}
}

// listenOnce listens on one connection until it breaks; heard tells whether it could at all.
func (s *Store) listenOnce(ctx context.Context, l Listening) (heard bool, err error) {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("connect to postgres: %w", err)
	}
	conn := pooled.Hijack() // it must not go back to the pool listening
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+l.Channel); err != nil {
		return false, fmt.Errorf("listen to postgres: %w", err)
	}
	l.Anew()
	for {
		notice, err := conn.WaitForNotification(ctx)
		if err != nil {
			return true, fmt.Errorf("listen to postgres: %w", err)
		}
		l.Heard(notice.Payload)
	}
}
