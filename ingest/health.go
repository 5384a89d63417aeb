package ingest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Health is whether samples are being stored.
type Health struct {
	OK bool
	// Reasons say, for an operator, what is wrong; empty where OK.
	Reasons []string
}

// maxReason bounds one reason, bytes: servers' messages can be long.
const maxReason = 300

// errStarting is a consumer's state before it was first bound.
var errStarting = errors.New("not connected yet")

// status is what Health and the gauges read. The loops write it.
type status struct {
	now        func() time.Time
	stuckAfter time.Duration
	alarms     AlarmConfig

	mu        sync.Mutex               // covers what follows
	consumers map[string]consumerState // by stream and partition
	backlogs  map[string]backlog       // by stream
	leases    error                    // of the last round; nil where it worked
	store     error                    // of the last try; nil where it worked
	graves    error
	licenses  error
	parked    int
	held      int   // messages taken and not acknowledged
	oldest    int64 // ms: when JetStream stored the oldest of them; 0 where none is held
	flushed   time.Time
	progress  time.Time // the last moment at which messages were stored or none was waiting
}

type consumerState struct {
	away       error
	pending    uint64 // in the stream, not delivered
	ackPending int    // delivered, not acknowledged
}

func newStatus(c *Config, now func() time.Time) *status {
	return &status{
		now: now, stuckAfter: c.StuckAfter, alarms: c.Alarms,
		consumers: map[string]consumerState{}, backlogs: map[string]backlog{}, progress: now(),
	}
}

func (s *status) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *status) consumerAway(stream string, err error) {
	s.change(func() {
		c := s.consumers[stream]
		c.away = err
		s.consumers[stream] = c
	})
}

func (s *status) consumerSeen(stream string, pending uint64, ackPending int) {
	s.change(func() {
		s.consumers[stream] = consumerState{pending: pending, ackPending: ackPending}
		s.restLocked()
	})
}

// consumerGone forgets a consumer whose partition is another's.
func (s *status) consumerGone(stream string) { s.change(func() { delete(s.consumers, stream) }) }

func (s *status) leasesAway(err error)   { s.change(func() { s.leases = err }) }
func (s *status) storeAway(err error)    { s.change(func() { s.store = err }) }
func (s *status) gravesAway(err error)   { s.change(func() { s.graves = err }) }
func (s *status) licensesAway(err error) { s.change(func() { s.licenses = err }) }

// holds notes what the pipeline holds.
func (s *status) holds(messages, parked int, oldest int64) {
	s.change(func() {
		s.held, s.parked, s.oldest = messages, parked, oldest
		s.restLocked()
	})
}

// stored notes that a batch is done.
func (s *status) stored() {
	s.change(func() {
		s.flushed = s.now()
		s.progress = s.flushed
	})
}

// turnedAway notes that messages were answered without being stored.
func (s *status) turnedAway() { s.change(func() { s.progress = s.now() }) }

// restLocked moves progress on while there is nothing to do.
func (s *status) restLocked() {
	if s.held == 0 && s.pendingLocked() == 0 {
		s.progress = s.now()
	}
}

func (s *status) pendingLocked() (pending uint64) {
	for _, c := range s.consumers {
		pending += c.pending
	}
	return pending
}

// health lists everything that is wrong now.
func (s *status) health() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reasons []string
	add := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		reasons = append(reasons, headerText(text, maxReason))
	}
	away := map[string][]string{} // by error: most often all have the same
	for _, stream := range sortedKeys(s.consumers) {
		if err := s.consumers[stream].away; err != nil {
			away[err.Error()] = append(away[err.Error()], stream)
		}
	}
	for _, err := range sortedKeys(away) {
		add("consumer of %s is away: %s", strings.Join(away[err], ", "), err)
	}
	if s.leases != nil {
		add("partitions cannot be kept: %v", s.leases)
	}
	if s.store != nil {
		add("ClickHouse does not take samples: %v", s.store)
	}
	if s.graves != nil {
		add("dead letters cannot be kept: %v", s.graves)
	}
	if s.licenses != nil && s.parked > 0 {
		add("%d messages wait for their license to be looked up: %v", s.parked, s.licenses)
	}
	waiting := s.pendingLocked() + uint64(s.held)
	if idle := s.now().Sub(s.progress); waiting > 0 && idle > s.stuckAfter {
		add("stuck: nothing stored for %s while %d messages wait", idle.Round(time.Second), waiting)
	}
	reasons = append(reasons, s.backlogReasonsLocked()...)
	return Health{OK: len(reasons) == 0, Reasons: reasons}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// figures are the gauges' values.
type figures struct {
	pending    uint64
	ackPending int
	held       int
	parked     int
	oldestAge  time.Duration
	lag        time.Duration // of the oldest message in any stream
	fill       float64       // of the fullest stream, 0 to 1
	flushed    time.Time
}

func (s *status) figures() figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := figures{pending: s.pendingLocked(), held: s.held, parked: s.parked, flushed: s.flushed}
	for _, c := range s.consumers {
		f.ackPending += c.ackPending
	}
	for _, b := range s.backlogs {
		f.lag, f.fill = max(f.lag, b.lag(s.now())), max(f.fill, b.fill())
	}
	if s.oldest > 0 {
		f.oldestAge = max(0, s.now().Sub(time.UnixMilli(s.oldest)))
	}
	return f
}
