package ingest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// aliveSubject is where ingesters tell each other that they are there and able to take partitions. What is lost or
// late only moves partitions later: who owns one is decided by its lease.
const aliveSubject = "corrosion_ingest.alive"

// alive is what an ingester says of itself at every round.
type alive struct {
	Instance string `json:"instance"`
	// Limit bounds what it takes; 0: no bound.
	Limit int  `json:"limit,omitempty"`
	Gone  bool `json:"gone,omitempty"`
}

// members are the ingesters that were heard of lately.
type members struct {
	self  alive
	quiet time.Duration // who says nothing for so long is gone
	now   func() time.Time

	mu    sync.Mutex // covers heard
	heard map[string]member
}

type member struct {
	alive
	at time.Time
}

func newMembers(instance string, c *PartitionsConfig) *members {
	return &members{self: alive{Instance: instance, Limit: c.Own}, quiet: c.Takeover, now: time.Now, heard: map[string]member{}}
}

// listen hears the others until the subscription ends.
func (m *members) listen(nc *nats.Conn) (*nats.Subscription, error) {
	s, err := nc.Subscribe(aliveSubject, func(message *nats.Msg) { m.hear(message.Data) })
	if err != nil {
		return nil, fmt.Errorf("listen to other ingesters: %w", err)
	}
	return s, nil
}

func (m *members) hear(body []byte) {
	var a alive
	if json.Unmarshal(body, &a) != nil || a.Instance == "" || a.Instance == m.self.Instance {
		return // of another version, or ourselves
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.Gone {
		delete(m.heard, a.Instance)
		return
	}
	m.heard[a.Instance] = member{a, m.now()}
}

// tell says that this ingester is there, or that it goes.
func (m *members) tell(nc *nats.Conn, gone bool) error {
	a := m.self
	a.Gone = gone
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode a sign of life: %w", err)
	}
	return nc.Publish(aliveSubject, body)
}

// share is how many of count partitions this ingester should own: as many as the others, to one.
func (m *members) share(count int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []alive{m.self}
	for name, other := range m.heard {
		if m.now().Sub(other.at) > m.quiet {
			delete(m.heard, name)
			continue
		}
		all = append(all, other.alive)
	}
	slices.SortFunc(all, func(a, b alive) int {
		if a.Instance < b.Instance {
			return -1
		}
		return 1
	})
	return dealt(all, count)[slices.Index(all, m.self)]
}

// dealt hands count partitions out one by one to those whose limit is not reached.
func dealt(to []alive, count int) []int {
	shares := make([]int, len(to))
	for left, took := count, true; left > 0 && took; {
		took = false
		for i := range to {
			if left > 0 && (to[i].Limit == 0 || shares[i] < to[i].Limit) {
				shares[i]++
				left--
				took = true
			}
		}
	}
	return shares
}
