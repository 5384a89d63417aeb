package ingest

// holds counts the messages that are owed an answer, and gives when the oldest of them was stored, ms.
func (p *pipeline) holds() (messages int, oldest int64) {
	older := func(at int64) {
		if at != 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	older(p.filling.oldest)
	if p.inFlight != nil {
		older(p.inFlight.oldest)
	}
	for i := range p.parked {
		older(p.parked[i].storedAt)
	}
	for i := range p.ready {
		older(p.ready[i].storedAt)
	}
	return len(p.filling.receipts) + len(p.owed) + len(p.parked) + len(p.ready), oldest
}

// each calls f for the receipt of every message held.
func (p *pipeline) each(f func(*receipt)) {
	for _, receipts := range [][]receipt{p.owed, p.filling.receipts} {
		for i := range receipts {
			f(&receipts[i])
		}
	}
	for i := range p.parked {
		f(&p.parked[i].receipt)
	}
	for i := range p.ready {
		f(&p.ready[i].receipt)
	}
}

// renew keeps JetStream from delivering again what is held for long.
func (p *pipeline) renew() {
	if !p.source.connected() {
		return // the words would only fill the reconnect buffer
	}
	p.each(func(r *receipt) { _ = p.source.progress(r) })
}

// handBack asks JetStream to deliver at once what is still held, and says how much that is.
func (p *pipeline) handBack() {
	left := 0
	p.each(func(r *receipt) {
		left++
		_ = p.source.delay(r)
	})
	if left > 0 {
		p.log.Warn("stopped before everything pulled was stored; JetStream delivers it again", "messages", left)
	}
}
