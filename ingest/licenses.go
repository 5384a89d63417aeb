package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Licenses knows which licenses exist.
type Licenses interface {
	// Known tells whether the license exists. An error means that it could not be found out.
	Known(ctx context.Context, license uuid.UUID) (bool, error)
}

// How long answers hold. While the licenses' store is away a known license stays known for staleFor, so that its
// servers' samples do not wait for Postgres.
const (
	knownFor   = time.Minute
	unknownFor = 2 * time.Second
	staleFor   = time.Hour
	// maxLicenses bounds the memory of answers.
	maxLicenses = 100_000
	// lookupTimeout bounds one question.
	lookupTimeout = 5 * time.Second
)

type verdict uint8

const (
	undecided verdict = iota
	known
	unknown
)

type answer struct {
	known bool
	at    time.Time
}

// licenseCache answers from memory and asks for the rest in the background. Its methods belong to the pipeline's loop;
// only run, which asks, is a goroutine of its own.
type licenseCache struct {
	answers map[uuid.UUID]answer
	asking  map[uuid.UUID]bool
	queue   []uuid.UUID // to be asked

	questions chan uuid.UUID
	replies   chan reply
}

type reply struct {
	license uuid.UUID
	known   bool
}

func newLicenseCache() *licenseCache {
	return &licenseCache{
		answers: map[uuid.UUID]answer{}, asking: map[uuid.UUID]bool{},
		questions: make(chan uuid.UUID), replies: make(chan reply),
	}
}

// check says what is known of the license now, and sees to it that more will be known.
func (c *licenseCache) check(license uuid.UUID, now time.Time) verdict {
	a, found := c.answers[license]
	age := now.Sub(a.at)
	switch {
	case found && a.known && age < knownFor:
		return known
	case found && !a.known && age < unknownFor:
		return unknown
	}
	if !c.asking[license] {
		c.asking[license] = true
		c.queue = append(c.queue, license)
	}
	if found && a.known && age < staleFor {
		return known
	}
	return undecided
}

// next is the channel to ask on and the question; the channel is nil where there is none.
func (c *licenseCache) next() (chan<- uuid.UUID, uuid.UUID) {
	if len(c.queue) == 0 {
		return nil, uuid.UUID{}
	}
	return c.questions, c.queue[0]
}

// asked takes the question that was sent off the queue.
func (c *licenseCache) asked() { c.queue = c.queue[1:] }

// learn keeps an answer.
func (c *licenseCache) learn(r reply, now time.Time) {
	delete(c.asking, r.license)
	if len(c.answers) >= maxLicenses {
		for other := range c.answers { // any: it will be asked for again
			delete(c.answers, other)
			break
		}
	}
	c.answers[r.license] = answer{r.known, now}
}

// run asks, one question after the other, until ctx ends. A question that cannot be answered is asked again for ever.
func (c *licenseCache) run(ctx context.Context, licenses Licenses, retry RetryConfig, status *status, log *slog.Logger) {
	trouble := incident{log: log, what: "look up licenses", now: time.Now}
	again := backoff{RetryConfig: retry}
	for {
		var r reply
		select {
		case <-ctx.Done():
			return
		case r.license = <-c.questions:
		}
		for {
			var err error
			if r.known, err = lookup(ctx, licenses, r.license); err == nil {
				break
			}
			status.licensesAway(err)
			trouble.again(err)
			if !again.wait(ctx, err) {
				return
			}
		}
		again.reset()
		trouble.over()
		status.licensesAway(nil)
		select {
		case <-ctx.Done():
			return
		case c.replies <- r:
		}
	}
}

func lookup(ctx context.Context, licenses Licenses, license uuid.UUID) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return licenses.Known(ctx, license)
}
