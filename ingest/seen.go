package ingest

import "slices"

// seen remembers which messages this process holds and which it has stored, so that a message delivered again (a lost
// ack, a restarted NATS, a slow INSERT) is not stored again. Each partition has its sequences in order, but partitions
// run ahead of each other, so the sets are bitmaps.
type seen struct {
	held, stored map[uint64]*pages // by epoch
	epochs       []uint64          // in the order of their coming
}

// maxEpochs is how many incarnations of streams are remembered.
const maxEpochs = 8

func newSeen() *seen { return &seen{held: map[uint64]*pages{}, stored: map[uint64]*pages{}} }

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

func (s *seen) remember(epoch uint64) *pages {
	if len(s.epochs) == maxEpochs {
		delete(s.held, s.epochs[0])
		delete(s.stored, s.epochs[0])
		s.epochs = slices.Delete(s.epochs, 0, 1)
	}
	s.epochs = append(s.epochs, epoch)
	s.held[epoch], s.stored[epoch] = newPages(), newPages()
	return s.held[epoch]
}
