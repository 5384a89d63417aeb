package ingest

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPages(t *testing.T) {
	s := newPages()
	for seq := range uint64(3 * pageBits) {
		if seq%3 == 1 && !s.add(seq) {
			t.Fatalf("%d was in before", seq)
		}
	}
	if len(s.partial) != 3 || s.has(2) || !s.has(4) {
		t.Fatalf("%d partial pages, 2 in: %t, 4 in: %t", len(s.partial), s.has(2), s.has(4))
	}
	for seq := range uint64(3 * pageBits) {
		if s.add(seq) == (seq%3 == 1) {
			t.Fatalf("%d is in before it is added: %t", seq, seq%3 != 1)
		}
	}
	if len(s.partial) != 0 || !s.has(pageBits) || s.add(pageBits) {
		t.Fatalf("%d pages are not full", len(s.partial))
	}
	s.remove(pageBits + 7)
	if s.has(pageBits+7) || !s.has(pageBits+8) || !s.add(pageBits+7) || len(s.partial) != 0 {
		t.Error("a sequence taken out of a full page")
	}
}

// What is forgotten is the lowest, never the page in use.
func TestPagesForget(t *testing.T) {
	s := newPages()
	for no := range uint64(maxPages + 10) {
		s.add((maxPages + 10 - no) * pageBits)
	}
	if len(s.partial) != maxPages || !s.has(pageBits) {
		t.Errorf("%d pages, the latest in: %t", len(s.partial), s.has(pageBits))
	}
}

func TestPagesAsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, want := newPages(), map[uint64]bool{}
		for range 200 {
			seq := rapid.Uint64Range(pageBits-70, pageBits+70).Draw(t, "seq")
			if rapid.Bool().Draw(t, "add") {
				if s.add(seq) == want[seq] {
					t.Fatalf("add %d", seq)
				}
				want[seq] = true
			} else {
				s.remove(seq)
				delete(want, seq)
			}
			if s.has(seq) != want[seq] {
				t.Fatalf("has %d", seq)
			}
		}
	})
}

// Ranges stay ordered spans that neither touch nor overlap.
func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ranges
		want := map[uint64]bool{}
		for range 200 {
			seq := rapid.Uint64Range(1, 60).Draw(t, "seq")
			if rapid.Bool().Draw(t, "add") {
				if r.add(seq) == want[seq] {
					t.Fatalf("add %d", seq)
				}
				want[seq] = true
			} else {
				r.remove(seq)
				delete(want, seq)
			}
			if r.has(seq) != want[seq] {
				t.Fatalf("has %d", seq)
			}
		}
		for i := 1; i < len(r.spans); i++ {
			if r.spans[i].first <= r.spans[i-1].last+1 {
				t.Fatalf("spans %v and %v touch", r.spans[i-1], r.spans[i])
			}
		}
	})
}
