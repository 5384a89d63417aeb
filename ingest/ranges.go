package ingest

import "slices"

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
