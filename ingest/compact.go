package ingest

import (
	"slices"

	"corrosion/schema"
)

// compact drops rows. Their order stays, and so do the dictionaries.
func (b *batch) compact(drop func(row int) bool) {
	keep := make([]int, 0, b.rows)
	for r := range b.receipts {
		receipt := &b.receipts[r]
		first := len(keep)
		for row := receipt.first; row < receipt.first+receipt.rows; row++ {
			if !drop(row) {
				keep = append(keep, row)
			}
		}
		receipt.first, receipt.rows = first, len(keep)-first
	}
	if len(keep) == b.rows {
		return
	}
	b.license = pick(b.license, keep)
	b.server.keys = pick(b.server.keys, keep)
	b.ts = pick(b.ts, keep)
	for f := range schema.NumFields {
		b.fields[f].pick(keep)
	}
	b.metrics.pick(keep)
	b.epoch = pick(b.epoch, keep)
	b.seq = pick(b.seq, keep)
	b.idx = pick(b.idx, keep)
	b.received = pick(b.received, keep)
	b.rows = len(keep)
}

// expel drops the messages of partitions that are lost, with their rows and letters; false where no row went. Their next
// owner has them. The receipts that stay get a place of their own: the pipeline may be reading the old ones.
func (b *batch) expel() bool {
	lost := b.lostLanes()
	if len(lost) == 0 {
		return false
	}
	gone := make([]bool, b.rows)
	for _, r := range b.receipts {
		if !lost[r.lane] {
			continue
		}
		b.expelled = append(b.expelled, r)
		for row := range r.rows {
			gone[r.first+row] = true
		}
	}
	before := b.rows
	b.compact(func(row int) bool { return gone[row] })
	var kept []receipt
	for _, r := range b.receipts {
		if !lost[r.lane] {
			kept = append(kept, r)
		}
	}
	b.receipts = kept
	b.letters = slices.DeleteFunc(b.letters, func(l letter) bool { return lost[l.lane] })
	return b.rows < before
}

// lostLanes are those of the batch's messages whose partition is another's by now.
func (b *batch) lostLanes() map[*lane]bool {
	var lost map[*lane]bool
	for r := range b.receipts {
		if l := b.receipts[r].lane; l.lost() && !lost[l] {
			if lost == nil {
				lost = map[*lane]bool{}
			}
			lost[l] = true
		}
	}
	return lost
}

// pick moves the kept elements, whose places ascend, to the front.
func pick[S ~[]E, E any](s S, keep []int) S {
	for to, from := range keep {
		s[to] = s[from]
	}
	return s[:len(keep)]
}

func (c *fieldColumn) pick(keep []int) {
	switch {
	case c.text != nil:
		c.text.keys = pick(c.text.keys, keep)
		return
	case c.u32 != nil:
		*c.u32 = pick(*c.u32, keep)
	case c.u64 != nil:
		*c.u64 = pick(*c.u64, keep)
	default:
		*c.f64 = pick(*c.f64, keep)
	}
	c.number.nulls = pick(c.number.nulls, keep)
}

func (m *metricsColumn) pick(keep []int) {
	var end, start uint64
	row := 0
	for to, from := range keep {
		for ; row < from; row++ {
			start = m.ends[row]
		}
		stop := m.ends[from]
		copy(m.keys.keys[end:], m.keys.keys[start:stop])
		copy(m.values[end:], m.values[start:stop])
		end += stop - start
		start, row = stop, from+1
		m.ends[to] = end
	}
	m.ends = m.ends[:len(keep)]
	m.keys.keys, m.values = m.keys.keys[:end], m.values[:end]
}
