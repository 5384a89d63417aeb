package ingest

import "math"

const (
	// pageBits is how many sequences a page holds, as bits: 8 KiB.
	pageBits = 1 << 16
	// maxPages bounds the pages of a set that are neither empty nor full: 4 MiB, and 33 million sequences where another
	// ingester has the rest of them. Beyond it the lowest are forgotten.
	maxPages = 512
)

// pages is a set of sequences: bitmaps, and of those that are full only their numbers.
type pages struct {
	partial map[uint64]*page
	full    ranges
	// last is the page used before: neighbours mostly lie in the same.
	last   *page
	lastNo uint64
}

type page struct {
	words [pageBits / 64]uint64
	count int
}

func newPages() *pages { return &pages{partial: map[uint64]*page{}} }

// find gives the page of seq where it is partial.
func (s *pages) find(seq uint64) *page {
	no := seq / pageBits
	if s.last == nil || s.lastNo != no {
		s.last, s.lastNo = s.partial[no], no
	}
	return s.last
}

// add puts seq in; false where it already was.
func (s *pages) add(seq uint64) bool {
	p := s.find(seq)
	if p == nil {
		if s.full.has(seq / pageBits) {
			return false
		}
		p = s.open(seq/pageBits, &page{})
	}
	word, bit := &p.words[seq%pageBits/64], uint64(1)<<(seq%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	if p.count++; p.count == pageBits {
		s.close(seq / pageBits)
		s.full.add(seq / pageBits)
	}
	return true
}

// open makes p a partial page, and forgets the lowest other where there are too many.
func (s *pages) open(no uint64, p *page) *page {
	if len(s.partial) >= maxPages {
		lowest := uint64(math.MaxUint64)
		for other := range s.partial {
			lowest = min(lowest, other)
		}
		s.close(lowest)
	}
	s.partial[no], s.last, s.lastNo = p, p, no
	return p
}

func (s *pages) close(no uint64) {
	delete(s.partial, no)
	s.last = nil
}

// remove takes seq out.
func (s *pages) remove(seq uint64) {
	no := seq / pageBits
	p := s.find(seq)
	if p == nil {
		if !s.full.has(no) {
			return
		}
		s.full.remove(no)
		p = s.open(no, &page{count: pageBits})
		for i := range p.words {
			p.words[i] = ^uint64(0)
		}
	}
	word, bit := &p.words[seq%pageBits/64], uint64(1)<<(seq%64)
	if *word&bit != 0 {
		*word &^= bit
		if p.count--; p.count == 0 {
			s.close(no)
		}
	}
}

func (s *pages) has(seq uint64) bool {
	if p := s.find(seq); p != nil {
		return p.words[seq%pageBits/64]&(1<<(seq%64)) != 0
	}
	return s.full.has(seq / pageBits)
}
