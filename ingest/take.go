package ingest

import (
	"bytes"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/wire"
)

// take notes a message, unless it is held or stored already, and routes it.
func (p *pipeline) take(m message) {
	if m.word() {
		p.hear(m)
		return
	}
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

// hear acts on word of a partition.
func (p *pipeline) hear(m message) {
	switch {
	case m.joined != nil:
		p.join(m.joined)
	case p.inFlight == nil:
		p.leave(m.left)
	default:
		p.leaving = append(p.leaving, m.left)
	}
}

// leave lets a partition go of which nothing is being stored, once no INSERT that was in doubt may begin any more.
func (p *pipeline) leave(left chan struct{}) {
	if wait := p.doubtUntil.Sub(p.now()); wait > 0 {
		time.AfterFunc(wait, func() { close(left) })
		return
	}
	close(left)
}

// join notes a partition that this process has taken, and forgets those that it has lost.
func (p *pipeline) join(t *term) {
	for name, other := range p.terms {
		if other.lost() {
			delete(p.terms, name)
			delete(p.beside.twins, name)
		}
	}
	p.terms[t.partition], p.beside.twins[t.partition] = t, t.twins
	for _, known := range t.ids {
		p.ids.message(known.id, known.of)
	}
	t.ids = nil
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
	if isAcknowledgement(m.data) {
		p.metrics.rejected.WithLabelValues(string(ForgedReply)).Inc()
		p.seen.store(m.epoch, m.seq)
		p.answer(&m.receipt)
		return
	}
	now := p.now()
	switch standing, t := p.cache.check(license, now); standing {
	case known:
		if by, over := t.exhausted(m.storedAt, now.UnixMilli()); over {
			p.turnAway(m, t, by)
			return
		}
		p.decode(m, t, server, now.UnixMilli())
	case unknown:
		p.refuse(m, UnknownLicense, "no license "+license.String())
	default:
		p.parked = append(p.parked, parkedMessage{m, license})
		p.waiting += len(m.data)
	}
}

// accept is called by the decoder for each good sample of the current message.
func (p *pipeline) accept(s *schema.Sample) {
	if !p.tenant.admitServer(s.ServerID) { // before the twins: it must not drive others out of them
		p.counted[quotaServers]++
		return
	}
	if l := p.current.lane; l != nil && l.term.twins.sample(s, p.beside) {
		p.twin("sample", 1)
		return
	}
	p.counted[quotaMetrics] += int64(p.tenant.admitMetrics(s))
	p.filling.Append(s)
}

// twin counts what came before. What earlier owners may have stored is likely that, delivered again.
func (p *pipeline) twin(kind string, samples int64) {
	if p.current.doubtful {
		p.metrics.skipped.Inc()
		return
	}
	p.metrics.duplicates.WithLabelValues(kind).Inc()
	p.counted[duplicate] += samples
}

func (p *pipeline) decode(m message, t *tenant, server string, now int64) {
	license := t.license
	p.current, p.tenant, p.counted = m, t, [numOutcomes]int64{}
	defer p.count(&m)
	if m.id != "" && m.lane != nil {
		of := identity{m.epoch, m.seq, m.storedAt}
		if p.ids.message(newMessageID(license, m.id), of) {
			p.twin("message", t.estimate(&m))
			p.owe(m.receipt)
			return
		}
		p.filling.name(license, m.id, of)
	}
	t.begin(m.storedAt)
	p.current.first = p.filling.rows
	stats := p.decoder.Decode(wire.Envelope{
		License: license, SubjectServer: server, StoredAt: m.storedAt, Epoch: m.epoch, Seq: m.seq,
	}, m.encoding, m.data, p.good, p.bad)
	if stats.IgnoredFields > 0 {
		p.metrics.ignored.Add(float64(stats.IgnoredFields))
	}
	t.use(&m, stats.Samples+stats.Rejected, p.decoder.PlainBytes(), now)
	p.current.rows = p.filling.rows - p.current.first
	p.counted[accepted] = int64(p.current.rows)
	p.owe(p.current.receipt)
	p.current = message{}
}

// count tells what became of a message's samples; each has its share of the message's bytes.
func (p *pipeline) count(m *message) {
	all := p.counted[accepted] + p.counted[duplicate] + p.counted[quotaServers]
	where := p.tallies.of(p.tenant, m.storedAt)
	for o, n := range p.counted {
		if n == 0 {
			continue
		}
		if outcome(o) == quotaMetrics {
			where.add(quotaMetrics, n, 0)
		} else {
			where.add(outcome(o), n, int64(len(m.data))*n/all)
		}
		if refused := p.metrics.refused[o]; refused != nil {
			refused.Add(float64(n))
			p.excess = excess{p.tenant.license, outcome(o), p.excess.times + n}
		}
	}
}

// turnAway answers a message whose license has used up a rate, without reading it. It is not kept as a dead letter:
// these are most in a storm, and would drive all others out.
func (p *pipeline) turnAway(m message, t *tenant, by outcome) {
	n := t.estimate(&m)
	p.tallies.of(t, m.storedAt).add(by, n, int64(len(m.data)))
	p.metrics.refused[by].Add(float64(n))
	p.excess = excess{t.license, by, p.excess.times + n}
	p.refused = true
	p.seen.store(m.epoch, m.seq)
	p.answer(&m.receipt)
}

// reject is called by the decoder for each fault of the current message.
func (p *pipeline) reject(r wire.Reject) {
	p.tallies.of(p.tenant, p.current.storedAt).reject(r.Reason, len(r.Bytes))
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
	first := p.filling.empty()
	p.filling.owe(r, p.now())
	if first {
		p.due.Reset(p.age) // after the batch's own start, or it could come too early and never again
	}
}
