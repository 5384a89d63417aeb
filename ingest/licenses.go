package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// Licenses knows which licenses exist.
type Licenses interface {
	// Standing tells whether the license exists, and its own quotas. An error means that it could not be found out.
	Standing(ctx context.Context, license uuid.UUID) (Standing, error)
}

// Standing is what is known of a license.
type Standing struct {
	// Known says that the license exists; what follows has a meaning only then.
	Known bool
	// Quotas are where it differs from Config.Quotas.
	Quotas schema.QuotaOverrides
}

// How long answers hold. While the licenses' store is away a known license stays known for staleFor, so that its
// servers' samples do not wait for Postgres.
const (
	knownFor   = 30 * time.Second
	unknownFor = 2 * time.Second
	staleFor   = time.Hour
	// maxLicenses bounds the memory of answers.
	maxLicenses = 100_000
	// lookupTimeout bounds one question.
	lookupTimeout = 5 * time.Second
	// A license that sent nothing for bucketsFor has full buckets, and for namesFor no names in its sets.
	bucketsFor = 2 * time.Minute
	namesFor   = 2 * time.Hour
)

type verdict uint8

const (
	undecided verdict = iota
	known
	unknown
)

// answer has a tenant where the license is known.
type answer struct {
	tenant *tenant
	at     time.Time
}

// licenseCache answers from memory and asks for the rest in the background. Its methods belong to the pipeline's loop;
// only run, which asks, is a goroutine of its own.
type licenseCache struct {
	answers map[uuid.UUID]answer
	asking  map[uuid.UUID]bool
	queue   []uuid.UUID   // to be asked
	quotas  schema.Quotas // where a license has none of its own
	hash    hasher
	names   int // in all tenants' sets
	minutes int // in all tenants' meters

	questions chan uuid.UUID
	replies   chan reply
}

type reply struct {
	license uuid.UUID
	Standing
}

func newLicenseCache(quotas schema.Quotas) *licenseCache {
	return &licenseCache{
		answers: map[uuid.UUID]answer{}, asking: map[uuid.UUID]bool{}, quotas: quotas, hash: newHasher(),
		questions: make(chan uuid.UUID), replies: make(chan reply),
	}
}

// check says what is known of the license now, and sees to it that more will be known. A known one has a tenant.
func (c *licenseCache) check(license uuid.UUID, now time.Time) (verdict, *tenant) {
	a, found := c.answers[license]
	age := now.Sub(a.at)
	switch {
	case found && a.tenant != nil && age < knownFor:
		return known, a.tenant
	case found && a.tenant == nil && age < unknownFor:
		return unknown, nil
	}
	if !c.asking[license] {
		c.asking[license] = true
		c.queue = append(c.queue, license)
	}
	if found && a.tenant != nil && age < staleFor {
		return known, a.tenant
	}
	return undecided, nil
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
	t := c.answers[r.license].tenant
	if !r.Known {
		c.drop(r.license)
		c.answers[r.license] = answer{nil, now}
		return
	}
	if len(c.answers) >= maxLicenses {
		for other := range c.answers { // any: it will be asked for again
			if other != r.license {
				c.drop(other)
				break
			}
		}
	}
	if t == nil {
		t = &tenant{license: r.license, hash: c.hash, held: &c.names, meter: meter{held: &c.minutes}}
	}
	t.setQuotas(r.Quotas.Over(c.quotas))
	c.answers[r.license] = answer{t, now}
}

// drop forgets an answer, and what its license used.
func (c *licenseCache) drop(license uuid.UUID) {
	if t := c.answers[license].tenant; t != nil {
		t.forgetNames()
		t.meter.forget()
	}
	delete(c.answers, license)
}

// sweep lets go of what idle licenses used.
func (c *licenseCache) sweep(now time.Time) {
	for license, a := range c.answers {
		if a.tenant == nil {
			if now.Sub(a.at) >= unknownFor {
				delete(c.answers, license)
			}
			continue
		}
		idle := now.Sub(time.UnixMilli(a.tenant.used))
		if idle > bucketsFor {
			a.tenant.meter.forget()
		}
		if idle > namesFor && now.Sub(a.at) > staleFor {
			c.drop(license)
		}
	}
}

// bound empties all sets or all meters where they hold too many together, and says what was too much.
func (c *licenseCache) bound() (what string) {
	names, minutes := c.names > maxNames, c.minutes > maxMinutesTogether
	if !names && !minutes {
		return ""
	}
	what = "rates"
	for _, a := range c.answers {
		if names && a.tenant != nil {
			what = "servers and metric names"
			a.tenant.forgetNames()
		}
		if minutes && a.tenant != nil {
			a.tenant.meter.forget()
		}
	}
	return what
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
			if r.Standing, err = lookup(ctx, licenses, r.license); err == nil {
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

func lookup(ctx context.Context, licenses Licenses, license uuid.UUID) (Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return licenses.Standing(ctx, license)
}
