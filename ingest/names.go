package ingest

import "hash/maphash"

// maxNames bounds the names that all licenses' sets hold together; beyond it they start anew. Each may stand in both of
// its generations, at some 20 bytes: 40 MiB.
const maxNames = 1 << 20

// nameHour is how long a generation of names lasts, ms.
const nameHour = 3_600_000

// names is the set of different names that came within this hour and the one before, as hashes. A name stays in it for
// as long as it comes at least once an hour, so that a flood of new ones does not drive out what is at home.
type names struct {
	hour       int64
	young, old map[uint64]struct{}
	count      int // of both together
}

// turn begins the generation of a time, ms; time that goes back is of the present one. True where the set changed.
func (n *names) turn(storedAt int64) bool {
	hour := storedAt / nameHour
	if hour <= n.hour {
		return false
	}
	if hour > n.hour+1 {
		n.young = nil
	}
	n.hour = hour
	n.old, n.young = n.young, nil
	n.count = len(n.old)
	return true
}

// admit tells whether a name is in the set, or may come in as one of at most limit. fresh says that it came in.
func (n *names) admit(hash uint64, limit int64) (ok, fresh bool) {
	if _, ok := n.young[hash]; ok {
		return true, false
	}
	_, known := n.old[hash]
	if !known && int64(n.count) >= limit {
		return false, false
	}
	if n.young == nil {
		n.young = map[uint64]struct{}{}
	}
	n.young[hash] = struct{}{}
	if !known {
		n.count++
	}
	return true, !known
}

// forget empties the set.
func (n *names) forget() { n.young, n.old, n.count = nil, nil, 0 }

// hasher hashes names with a seed of this process, so that nobody can choose names that collide.
type hasher struct{ maphash.Seed }

func newHasher() hasher { return hasher{maphash.MakeSeed()} }

func (h hasher) of(name string) uint64 { return maphash.String(h.Seed, name) }
