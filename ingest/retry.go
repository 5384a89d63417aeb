package ingest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"corrosion/schema/pause"
)

// errRefused marks an INSERT that ClickHouse understood and refused: trying again soon changes nothing, but nothing may
// be lost either, so it is tried rarely and loudly.
var errRefused = errors.New("refused by ClickHouse")

// errHealing marks an INSERT that was refused because rollups are being healed: that takes a moment and is no fault.
var errHealing = errors.New(healingWords)

// healingPause is how long an INSERT that met a healer waits.
const healingPause = 10 * time.Millisecond

// refusedFactor stretches the backoff of what was refused: 5 s become a minute.
const refusedFactor = 12

// backoff is the wait between tries: doubling from Min to Max, with jitter of a quarter, from the start after reset.
type backoff struct {
	RetryConfig
	tries int
}

func (b *backoff) reset() { b.tries = 0 }

// next is how long to wait before the next try.
func (b *backoff) next(err error) time.Duration {
	limit := b.Max
	if errors.Is(err, errRefused) {
		limit *= refusedFactor
	}
	wait := limit
	if b.tries < 30 {
		wait = min(b.Min<<b.tries, limit)
	}
	b.tries++
	return wait - time.Duration(rand.Int64N(int64(wait)/4+1))
}

// wait sleeps until the next try; false where ctx ended first.
func (b *backoff) wait(ctx context.Context, err error) bool {
	return pause.For(ctx, b.next(err))
}

// logEvery is how often one repeated fault is logged.
const logEvery = 10 * time.Second

// incident logs a repeated fault at most once per interval, and its end once.
type incident struct {
	log  *slog.Logger
	what string
	now  func() time.Time

	mu     sync.Mutex // covers what follows
	count  int
	silent int
	last   time.Time
}

// again reports one more occurrence.
func (i *incident) again(err error, args ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count++
	now := i.now()
	if i.count > 1 && now.Sub(i.last) < logEvery {
		i.silent++
		return
	}
	args = append(args, "error", err, "times", i.count, "unlogged", i.silent)
	level := slog.LevelWarn
	if errors.Is(err, errRefused) {
		level = slog.LevelError
	}
	i.log.Log(context.Background(), level, i.what, args...)
	i.last, i.silent = now, 0
}

// over closes the incident, if there was one.
func (i *incident) over() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.count > 0 {
		i.log.Info("recovered: "+i.what, "times", i.count)
	}
	i.count, i.silent = 0, 0
}
