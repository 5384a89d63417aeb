package ingest

import (
	"bytes"
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
	licenses Licenses
	status   *status
	metrics  *metrics
	now      func() time.Time
	log      *slog.Logger

	cache    *licenseCache
	seen     *seen
	decoder  *wire.Decoder
	instance string // names this run in tokens and leases
	batches  uint64

	filling  *batch    // takes rows
	spare    *batch    // empty; nil while a batch is being stored
	inFlight *batch    // being stored; only its receipts may be read here
	again    []receipt // of messages delivered again while held
	parked   []parkedMessage
	ready    []message // were parked, licenses known, to be decoded next
	waiting  int       // bytes of parked and ready
	age      time.Duration
	drained  bool // the source has nothing more

	current message // being decoded, for the callbacks
	good    func(*schema.Sample)
	bad     func(wire.Reject)

	work    chan *batch
	done    chan flushed
	due     *time.Timer // the filling batch is old enough
	rejects rejectLog
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
	p.cache, p.seen, p.decoder = newLicenseCache(), newSeen(), wire.NewDecoder()
	p.filling, p.spare = newBatch(), newBatch()
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
	p.source.start()

	p.loop(soft, hard, cancel)

	cancel()
	p.source.abandon()
	close(p.work)
	helpers.Wait()
	p.store.close()
	p.handBack()
	ctx, cancelSettle := context.WithTimeout(context.Background(), requestTimeout)
	defer cancelSettle()
	if err := p.source.settle(ctx); err != nil {
		p.log.Warn("acks may not have left; what they are for is delivered again", "error", err)
	}
	if err := p.source.release(ctx); err != nil {
		p.log.Warn("leases may not be released; another ingester waits until they lapse", "error", err)
	}
}

// loop is the one select. It returns when everything taken is answered after soft ended, or hard ended.
func (p *pipeline) loop(soft, hard context.Context, giveUp context.CancelFunc) {
	renew := time.NewTicker(p.config.Pull.AckWait / 3)
	defer renew.Stop()
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

// take notes a message, unless it is held or stored already, and routes it.
func (p *pipeline) take(m message) {
	p.metrics.messages.Inc()
	if m.delivered > 1 {
		p.metrics.redelivered.Inc()
	}
	if m.lane.lost() {
		return // its new owner gets it, too
	}
	if p.seen.take(m.epoch, m.seq) {
		p.route(m)
		return
	}
	p.metrics.repeated.Inc()
	if p.seen.isStored(m.epoch, m.seq) {
		p.answer(&m.receipt)
	} else if len(p.again) < maxAgain {
		p.again = append(p.again, m.receipt)
	}
}

// maxAgain bounds the receipts of messages that were delivered again while they were held; others come once more.
const maxAgain = 1 << 17

// answerAgain answers deliveries of messages that have been stored since: the ack to the first may have gone to a
// consumer that is no more.
func (p *pipeline) answerAgain() {
	rest := p.again[:0]
	for i := range p.again {
		switch r := &p.again[i]; {
		case p.seen.isStored(r.epoch, r.seq):
			p.answer(r)
		case !r.lane.lost():
			rest = append(rest, *r)
		}
	}
	clear(p.again[len(rest):])
	p.again = rest
}

// route decodes a message, parks it until its license is known, or buries it.
func (p *pipeline) route(m message) {
	if m.lane.lost() {
		p.seen.drop(m.epoch, m.seq)
		return
	}
	token, server, ok := schema.ParseStatsSubject(m.subject)
	license, err := uuid.Parse(token)
	if !ok || err != nil || len(token) != 36 {
		p.refuse(m, BadSubject, "the subject's second word is not a license's UUID")
		return
	}
	switch p.cache.check(license, p.now()) {
	case known:
		p.decode(m, license, server)
	case unknown:
		p.refuse(m, UnknownLicense, "no license "+license.String())
	default:
		p.parked = append(p.parked, parkedMessage{m, license})
		p.waiting += len(m.data)
	}
}

// accept is called by the decoder for each good sample of the current message.
func (p *pipeline) accept(s *schema.Sample) {
	if l := p.current.lane; l != nil && l.term.twins.sample(s) {
		p.twin("sample")
		return
	}
	p.filling.Append(s)
}

// twin counts what came before. What earlier owners may have stored is likely that, delivered again.
func (p *pipeline) twin(kind string) {
	if p.current.doubtful {
		p.metrics.skipped.Inc()
		return
	}
	p.metrics.duplicates.WithLabelValues(kind).Inc()
}

func (p *pipeline) decode(m message, license uuid.UUID, server string) {
	p.current = m
	if m.id != "" && m.lane != nil {
		of := identity{m.epoch, m.seq, m.storedAt}
		if m.lane.term.twins.message(license, m.id, of) {
			p.twin("message")
			p.owe(m.receipt)
			return
		}
		p.filling.ids.append(license, m.id, of)
	}
	p.current.first = p.filling.rows
	stats := p.decoder.Decode(wire.Envelope{
		License: license, SubjectServer: server, StoredAt: m.storedAt, Epoch: m.epoch, Seq: m.seq,
	}, m.encoding, m.data, p.good, p.bad)
	if stats.IgnoredFields > 0 {
		p.metrics.ignored.Add(float64(stats.IgnoredFields))
	}
	p.current.rows = p.filling.rows - p.current.first
	p.owe(p.current.receipt)
	p.current = message{}
}

// reject is called by the decoder for each fault of the current message.
func (p *pipeline) reject(r wire.Reject) {
	l := letter{reason: string(r.Reason), detail: r.Detail, idx: r.Index, body: r.Bytes}
	if r.Index < 0 {
		l.encoding = p.current.encoding
		p.current.poison = l.reason
	}
	p.letter(&p.current, l)
}

// refuse buries a message as a whole without reading it.
func (p *pipeline) refuse(m message, reason wire.Reason, detail string) {
	m.poison = string(reason)
	p.letter(&m, letter{reason: m.poison, detail: detail, idx: -1, body: m.data, encoding: m.encoding})
	p.owe(m.receipt)
}

// letter completes l from its message and adds it to the batch.
func (p *pipeline) letter(m *message, l letter) {
	l.subject, l.epoch, l.seq, l.lane = m.subject, m.epoch, m.seq, m.lane
	l.license, _, _ = schema.ParseStatsSubject(m.subject)
	l.body = bytes.Clone(l.body)
	p.filling.bury(l)
	p.metrics.rejected.WithLabelValues(l.reason).Inc()
	p.rejects.reject(&l)
}

// owe adds the receipt to the batch; the first one starts its age.
func (p *pipeline) owe(r receipt) {
	if !p.filling.empty() {
		p.filling.owe(r, time.Time{})
		return
	}
	p.filling.owe(r, p.now())
	p.due.Reset(p.age) // after the batch's own start, or it could come too early and never again
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
	p.inFlight, p.filling, p.spare = b, p.spare, nil
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
	// Three times as long as the last batch took: a store that is busy gets fewer and larger batches.
	p.age = min(max(p.config.Batch.MinAge, 3*f.took), p.config.Batch.MaxAge)
	f.Reset()
	p.spare, p.inFlight = f.batch, nil
	p.rejects.quiet(time.Minute)
	if !p.filling.empty() {
		p.due.Reset(max(0, p.age-p.now().Sub(p.filling.since)))
	}
}
