package ingest

import (
	"context"
	"errors"
	"time"

	"corrosion/schema/pause"
)

// flusher stores one batch after the other until the pipeline closes work.
func (p *pipeline) flusher(hard context.Context) {
	stores := incident{log: p.log, what: "store samples", now: p.now}
	buries := incident{log: p.log, what: "bury dead letters", now: p.now}
	for b := range p.work {
		begun := p.now()
		err := p.persist(hard, "insert", &stores, p.status.storeAway, func() error { return p.insert(hard, b) })
		if err == nil {
			err = p.persist(hard, "bury", &buries, p.status.gravesAway, func() error { return p.graves.bury(hard, b.letters) })
		}
		if err == nil {
			p.answerAll(b)
		}
		p.done <- flushed{b, p.now().Sub(begun), err}
	}
}

// persist repeats try, with backoff, until it works or hard ends; then the error is that of hard.
func (p *pipeline) persist(hard context.Context, step string, trouble *incident, away func(error), try func() error) error {
	again := backoff{RetryConfig: p.config.Retry}
	for {
		err := try()
		if err == nil {
			trouble.over()
			away(nil)
			return nil
		}
		if hard.Err() != nil {
			return hard.Err()
		}
		if errors.Is(err, errHealing) {
			p.metrics.heldOff.Inc()
			if !pause.For(hard, healingPause) {
				return hard.Err()
			}
			continue
		}
		away(err)
		p.metrics.retries.WithLabelValues(step).Inc()
		trouble.again(err, "next", "trying again; JetStream holds what comes")
		if !again.wait(hard, err) {
			return hard.Err()
		}
	}
}

func (p *pipeline) insert(ctx context.Context, b *batch) error {
	if b.rows == 0 && b.ids.rows() == 0 {
		return nil
	}
	begun := time.Now()
	if err := p.store.insert(ctx, b); err != nil {
		return err
	}
	p.metrics.inserts.Observe(time.Since(begun).Seconds())
	return nil
}

// answerAll answers every message of a batch whose rows are stored and whose letters are buried.
func (p *pipeline) answerAll(b *batch) {
	for i := range b.receipts {
		p.answer(&b.receipts[i])
	}
}

// answer acknowledges a message, or terminates it where nothing of it could be read. An answer that is lost costs a
// delivery that seen turns away.
func (p *pipeline) answer(r *receipt) {
	var err error
	if r.poison != "" {
		err = p.source.terminate(r, r.poison)
	} else {
		err = p.source.ack(r)
	}
	if err != nil {
		p.metrics.ackErrors.Inc()
	}
}
