package ingest

import "slices"

// seen remembers which messages this process holds and which it has stored, so that a message delivered again (a lost
// ack, a restarted NATS, a slow INSERT) is not stored again. Sequences come nearly in order, so each set is a few ranges.
type seen struct {
	held, stored map[uint64]*ranges // by epoch
	epochs       []uint64           // in the order of their coming
}

// maxEpochs is how many incarnations of streams are remembered.
const maxEpochs = 8

func newSeen() *seen { return &seen{held: map[uint64]*ranges{}, stored: map[uint64]*ranges{}} }

// take notes that a message is held from now on; false where it already was.
func (s *seen) take(epoch, seq uint64) bool {
	r := s.held[epoch]
	if r == nil {
		r = s.remember(epoch)
	}
	return r.add(seq)
}

// store notes that a held message is stored.
func (s *seen) store(epoch, seq uint64) {
	if r := s.stored[epoch]; r != nil {
		r.add(seq)
	}
}

// isStored tells whether the message was stored by this process.
func (s *seen) isStored(epoch, seq uint64) bool {
	r := s.stored[epoch]
	return r != nil && r.has(seq)
}

// drop notes that a message is not held any more although it was not stored.
func (s *seen) drop(epoch, seq uint64) {
	if r := s.held[epoch]; r != nil && !s.isStored(epoch, seq) {
		r.remove(seq)
	}
}

func (s *seen) remember(epoch uint64) *ranges {
	if len(s.epochs) == maxEpochs {
		delete(s.held, s.epochs[0])
		delete(s.stored, s.epochs[0])
		s.epochs = slices.Delete(s.epochs, 0, 1)
	}
	s.epochs = append(s.epochs, epoch)
	s.held[epoch], s.stored[epoch] = &ranges{}, &ranges{}
	return s.held[epoch]
}

// span is the sequences from first to last, both included.
type span struct{ first, last uint64 }

// ranges is a set of sequences as ordered spans that neither touch nor overlap.
type ranges struct {
	spans []span
	limit int // of spans; 0: maxSpans
}

// maxSpans bounds the memory of a set; beyond it the lowest sequences are forgotten.
const maxSpans = 1 << 17

// add puts seq in; false where it already was.
func (r *ranges) add(seq uint64) bool {
	if n := len(r.spans); n > 0 && seq == r.spans[n-1].last+1 { // the usual case
		r.spans[n-1].last = seq
		return true
	}
	at, within := r.find(seq)
	if within {
		return false
	}
	left := at > 0 && r.spans[at-1].last+1 == seq
	right := at < len(r.spans) && seq+1 == r.spans[at].first
	switch {
	case left && right:
		r.spans[at-1].last = r.spans[at].last
		r.spans = slices.Delete(r.spans, at, at+1)
	case left:
		r.spans[at-1].last = seq
	case right:
		r.spans[at].first = seq
	default:
		r.spans = slices.Insert(r.spans, at, span{seq, seq})
	}
	limit := r.limit
	if limit == 0 {
		limit = maxSpans
	}
	if len(r.spans) > limit {
		r.spans = slices.Delete(r.spans, 0, limit/8+1) // some at once, for each time moves the rest
	}
	return true
}

// remove takes seq out.
func (r *ranges) remove(seq uint64) {
	at, within := r.find(seq)
	if !within {
		return
	}
	switch s := &r.spans[at]; {
	case s.first == s.last:
		r.spans = slices.Delete(r.spans, at, at+1)
	case s.first == seq:
		s.first++
	case s.last == seq:
		s.last--
	default:
		r.spans = slices.Insert(r.spans, at+1, span{seq + 1, s.last})
		r.spans[at].last = seq - 1
	}
}

func (r *ranges) has(seq uint64) bool {
	_, within := r.find(seq)
	return within
}

// find gives the first span that ends at or after seq, and whether seq lies in it.
func (r *ranges) find(seq uint64) (at int, within bool) {
	at, _ = slices.BinarySearchFunc(r.spans, seq, func(s span, seq uint64) int {
		if s.last < seq {
			return -1
		}
		return 1
	})
	return at, at < len(r.spans) && r.spans[at].first <= seq
}
