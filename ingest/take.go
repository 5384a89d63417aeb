package ingest

import (
	"bytes"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/wire"
)

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
	first := p.filling.empty()
	p.filling.owe(r, p.now())
	if first {
		p.due.Reset(p.age) // after the batch's own start, or it could come too early and never again
	}
}
