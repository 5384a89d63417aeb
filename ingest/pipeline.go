package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// source gives messages and takes the answers to them.
type source interface {
	start()
	// messages closes after stop, once everything pulled has been taken.
	messages() <-chan message
	stop()
	// abandon hands back what was not taken, and waits until nothing pulls any more.
	abandon()

	ack(*receipt) error
	progress(*receipt) error
	delay(*receipt) error
	terminate(r *receipt, reason string) error
	// settle waits until the answers have left.
	settle(context.Context) error
	connected() bool
	// release gives up what is owned, so that another ingester need not wait.
	release(context.Context) error
	// lapse lets what is owned run out.
	lapse()
}

// store keeps a batch's rows; after an error it is given the same batch again.
type store interface {
	insert(context.Context, *batch) error
	close()
}

// graves keep dead letters; after an error they are given the same letters again.
type graves interface {
	bury(context.Context, []letter) error
}

// How much may wait for the answer whether its license exists.
const (
	maxParked      = 4096
	maxParkedBytes = 16 << 20
)

// takeAtOnce is how many messages are taken before the loop looks at anything else.
const takeAtOnce = 256

// pipeline takes messages, decodes them into one batch while the batch before is being stored, and answers them.
//
// run's select owns the batch that fills. The flusher owns a batch from the moment it is sent off until it is stored,
// its letters are buried and its receipts are answered; there is no other way to a store or to an ack.
type pipeline struct {
	config   Config
	source   source
	store    store
	graves   graves
	journal  journal
	licenses Licenses
	status   *status
	metrics  *metrics
	now      func() time.Time
	log      *slog.Logger

	cache    *licenseCache
	seen     *seen
	decoder  *wire.Decoder
	terms    map[string]*term // by partition
	beside   neighbours       // the twins of terms
	ids      *messageIDs
	instance string // names this run in tokens and leases
	batches  uint64

	filling  *batch          // takes rows
	spare    *batch          // empty; nil while a batch is being stored
	inFlight *batch          // being stored, and the flusher's
	owed     []receipt       // of inFlight as it was sent off; only to whom and since when may be read here
	again    []receipt       // of messages delivered again while held
	leaving  []chan struct{} // to be closed when inFlight is over
	// doubtUntil is until when an INSERT without an answer may begin.
	doubtUntil time.Time
	parked     []parkedMessage
	ready      []message // were parked, licenses known, to be decoded next
	waiting    int       // bytes of parked and ready
	age        time.Duration
	drained    bool // the source has nothing more

	current message // being decoded, for the callbacks
	tenant  *tenant // whose it is
	counted [numOutcomes]int64
	good    func(*schema.Sample)
	bad     func(wire.Reject)

	tallies *tallies
	pages   chan *journalPage // to the scribe
	written uint64            // pages
	refused bool              // since the last advance

	work    chan *batch
	done    chan flushed
	due     *time.Timer // the filling batch is old enough
	rejects rejectLog
	excess  excess
	abort   <-chan struct{} // closes: do not wait for anything any more
}

type parkedMessage struct {
	message
	license uuid.UUID
}

// flushed is a batch that comes back from the flusher; err tells that it was given up on the way out.
type flushed struct {
	*batch
	took time.Duration
	err  error
}

// open makes what run needs.
func (p *pipeline) open() {
	p.cache, p.seen, p.decoder = newLicenseCache(p.config.Quotas), newSeen(), wire.NewDecoder()
	p.ids = newMessageIDs()
	p.tallies, p.pages = newTallies(), make(chan *journalPage, 1)
	p.terms, p.beside = map[string]*term{}, neighbours{map[string]*twins{}, p.config.Partitions.Count}
	rows := p.config.Batch.room()
	p.filling, p.spare = newBatch().room(rows), newBatch().room(rows)
	p.age = p.config.Batch.MinAge
	p.good = p.accept
	p.bad = p.reject
	p.work, p.done = make(chan *batch, 1), make(chan flushed, 1)
	p.due = time.NewTimer(time.Hour)
	p.due.Stop()
	p.rejects = rejectLog{incident{log: p.log, what: "sample rejected", now: p.now}}
}

// run works until soft ends, then stores what was pulled within StopTimeout and returns. What is left then (or when
// abort closes) is handed back to JetStream, which delivers it again.
func (p *pipeline) run(soft context.Context) {
	p.open()
	hard, cancel := context.WithCancel(context.WithoutCancel(soft))
	var helpers sync.WaitGroup
	helpers.Go(func() { p.flusher(hard) })
	helpers.Go(func() { p.cache.run(hard, p.licenses, p.config.Retry, p.status, p.log) })
	writing, stopWriting := context.WithCancel(context.WithoutCancel(soft))
	defer stopWriting()
	written := make(chan struct{})
	go func() { // ends with lastReport
		p.scribe(writing)
		close(written)
	}()
	p.source.start()

	p.loop(soft, hard, cancel)

	cancel()
	p.source.abandon()
	close(p.work)
	helpers.Wait()
	if p.inFlight != nil {
		p.owed = p.inFlight.receipts // without those of lost partitions
	}
	p.lastReport(stopWriting, written)
	p.store.close()
	p.handBack()
	ctx, cancelSettle := context.WithTimeout(context.Background(), requestTimeout)
	defer cancelSettle()
	if err := p.source.settle(ctx); err != nil {
		p.log.Warn("acks may not have left; what they are for is delivered again", "error", err)
	}
	if p.inFlight != nil || p.now().Before(p.doubtUntil) {
		p.log.Warn("leases are not released, for an INSERT may still begin; another ingester waits until they lapse")
		p.source.lapse()
	} else if err := p.source.release(ctx); err != nil {
		p.log.Warn("leases may not be released; another ingester waits until they lapse", "error", err)
	}
}

// loop is the one select. It returns when everything taken is answered after soft ended, or hard ended.
func (p *pipeline) loop(soft, hard context.Context, giveUp context.CancelFunc) {
	renew := time.NewTicker(p.config.Pull.AckWait / 3)
	defer renew.Stop()
	journal := time.NewTicker(journalEvery)
	defer journal.Stop()
	defer p.due.Stop()
	stopping := soft.Done()
	deadline := time.NewTimer(time.Hour)
	deadline.Stop()
	defer deadline.Stop()
	for !p.finished() {
		ask, question := p.cache.next()
		select {
		case m, ok := <-p.intake():
			p.takeSome(m, ok)
		case ask <- question:
			p.cache.asked()
		case r := <-p.cache.replies:
			p.learn(r)
		case f := <-p.done:
			p.settle(f)
		case <-p.due.C:
		case <-renew.C:
			p.renew()
		case <-journal.C:
			p.report()
			p.cache.sweep(p.now())
			p.excess.tell(p.log)
		case <-stopping:
			stopping = nil
			p.source.stop()
			deadline.Reset(p.config.StopTimeout)
		case <-deadline.C:
			giveUp()
		case <-p.abort:
			giveUp()
		case <-hard.Done():
			return
		}
		p.advance()
	}
}

// finished tells whether nothing more will come and nothing is owed but to messages whose license nobody knows yet.
func (p *pipeline) finished() bool {
	return p.drained && p.inFlight == nil && p.filling.empty() && len(p.ready) == 0
}

// intake is where messages come from; nil, so that the select passes it by, while nothing more may be held.
func (p *pipeline) intake() <-chan message {
	if p.drained || len(p.ready) > 0 || len(p.parked) >= maxParked || p.waiting >= maxParkedBytes || p.filling.Full(p.config.Batch) {
		return nil
	}
	return p.source.messages()
}

// takeSome takes a message and some of those that are there already.
func (p *pipeline) takeSome(m message, ok bool) {
	for taken := 1; ok; taken++ {
		p.take(m)
		if taken == takeAtOnce {
			return
		}
		select {
		case m, ok = <-p.intake():
		default:
			return
		}
	}
	p.drained = true
}

// learn lets the messages of a license go on whose standing is known now.
func (p *pipeline) learn(r reply) {
	p.cache.learn(r, p.now())
	rest := p.parked[:0]
	for _, m := range p.parked {
		if m.license == r.license {
			p.ready = append(p.ready, m.message)
		} else {
			rest = append(rest, m)
		}
	}
	clear(p.parked[len(rest):])
	p.parked = rest
}

// advance does what has become possible: send the batch off, and decode what was parked.
func (p *pipeline) advance() {
	p.flushIfDue()
	for len(p.ready) > 0 && !p.filling.Full(p.config.Batch) {
		m := p.ready[0]
		p.ready[0] = message{}
		p.ready = p.ready[1:]
		p.waiting -= len(m.data)
		p.route(m)
		p.flushIfDue()
	}
	if what := p.cache.bound(); what != "" {
		p.log.Warn("too much is remembered of the licenses together; their quotas start anew", "of", what)
	}
	if p.refused {
		p.refused = false
		p.status.turnedAway()
	}
	held, oldest := p.holds()
	p.status.holds(held, len(p.parked), oldest)
}

// flushIfDue sends the filling batch off if the flusher is free and the batch is full, old or the last.
func (p *pipeline) flushIfDue() {
	b := p.filling
	if p.inFlight != nil || b.empty() {
		return
	}
	if !b.Full(p.config.Batch) && !p.drained && p.now().Sub(b.since) < p.age {
		return
	}
	p.batches++
	b.id = fmt.Sprintf("%s-%d", p.instance, p.batches)
	p.inFlight, p.owed, p.filling, p.spare = b, b.receipts, p.spare, nil
	p.work <- b
}

// settle takes a batch back from the flusher.
func (p *pipeline) settle(f flushed) {
	if f.err != nil {
		return // hard has ended; the batch stays in flight, for handBack
	}
	for i := range f.receipts {
		p.seen.store(f.receipts[i].epoch, f.receipts[i].seq)
	}
	for i := range f.expelled {
		p.seen.drop(f.expelled[i].epoch, f.expelled[i].seq)
	}
	if f.attempt.doubtful && !f.attempt.done { // all its rows are another's; the lease's end is its fence
		p.doubtUntil = p.now().Add(p.config.Partitions.Takeover)
	}
	for _, left := range p.leaving {
		p.leave(left)
	}
	p.leaving = p.leaving[:0]
	p.answerAgain()
	p.metrics.skipped.Add(float64(f.attempt.skipped))
	for i := range f.letters {
		p.metrics.letters.WithLabelValues(f.letters[i].reason).Inc()
	}
	p.metrics.samples.Add(float64(f.rows))
	p.metrics.batchRows.Observe(float64(f.rows))
	p.metrics.batchBytes.Observe(float64(f.bytes))
	p.metrics.batchAge.Observe(p.now().Sub(f.since).Seconds())
	p.status.stored()
	p.age = p.config.Batch.age(f.took)
	f.Reset()
	p.spare, p.inFlight, p.owed = f.batch, nil, nil
	p.rejects.quiet(time.Minute)
	if !p.filling.empty() {
		p.due.Reset(max(0, p.age-p.now().Sub(p.filling.since)))
	}
}
