package ingest

import (
	"context"
	"hash/fnv"
	"math/bits"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"

	"corrosion/schema"
)

// How long the same sample, and the same message id, is known. Samples are known up to twice as long.
const (
	twinWindow = 10 * time.Minute
	idWindow   = 2 * time.Minute
)

// maxTwins bounds the publishers and the ids of one partition that are remembered; beyond it the oldest are forgotten.
const maxTwins = 200_000

// maxTwinSpans bounds the gaps in one publisher's count that are remembered.
const maxTwinSpans = 1024

// twins remembers what publishers sent in the last minutes, by their own names for it: samples by (server, boot, n),
// messages by Nats-Msg-Id. It is not safe for concurrent use.
type twins struct {
	samples generations[publisher, *ranges]
	ids     generations[messageID, identity]
}

type publisher struct {
	license      uuid.UUID
	server, boot string
}

type messageID struct {
	license uuid.UUID
	id      string
}

// identity is which message brought an id, and when JetStream stored it, ms.
type identity struct {
	epoch, seq uint64
	storedAt   int64
}

func newTwins() *twins {
	return &twins{
		samples: newGenerations[publisher, *ranges](twinWindow),
		ids:     newGenerations[messageID, identity](idWindow),
	}
}

// sample notes a sample that names its count; true where it came before.
func (t *twins) sample(s *schema.Sample) bool {
	if !s.Has(schema.N) || !s.Has(schema.Boot) {
		return false
	}
	key := publisher{s.License, s.ServerID, s.Boot}
	n := s.Uint(schema.N)
	t.samples.turn(s.ReceivedAt)
	if old := t.samples.old[key]; old != nil && old.has(n) {
		return true
	}
	return !t.publisher(key).add(n)
}

// publisher gives the counts that are remembered of one, in the present generation.
func (t *twins) publisher(key publisher) *ranges {
	counts := t.samples.young[key]
	if counts == nil {
		counts = &ranges{limit: maxTwinSpans}
		t.samples.put(key, counts)
	}
	return counts
}

// message notes a message that has an id; true where another message had it within the window.
func (t *twins) message(license uuid.UUID, id string, of identity) bool {
	t.ids.turn(of.storedAt)
	key := messageID{license, id}
	for _, known := range []map[messageID]identity{t.ids.young, t.ids.old} {
		first, has := known[key]
		if has && (first.epoch != of.epoch || first.seq != of.seq) && within(first.storedAt, of.storedAt, idWindow) {
			return true
		}
	}
	t.ids.put(key, of)
	return false
}

func within(a, b int64, window time.Duration) bool {
	return max(a, b)-min(a, b) <= window.Milliseconds()
}

// generations is a map that forgets: what was put in before the last two turns.
type generations[K comparable, V any] struct {
	young, old map[K]V
	since      int64 // ms
	window     time.Duration
}

func newGenerations[K comparable, V any](window time.Duration) generations[K, V] {
	return generations[K, V]{young: map[K]V{}, old: map[K]V{}, window: window}
}

// turn begins a new generation when the present one is as old as the window.
func (g *generations[K, V]) turn(now int64) {
	if g.since == 0 {
		g.since = now
	}
	if now-g.since > g.window.Milliseconds() {
		g.old, g.young, g.since = g.young, map[K]V{}, now
	}
}

func (g *generations[K, V]) put(key K, value V) {
	if len(g.young) >= maxTwins {
		g.old, g.young = g.young, map[K]V{}
	}
	g.young[key] = value
}

// twins reads what samples of the window are stored, into the terms of the partitions that they may come by again.
func (l *ledger) twins(ctx context.Context, taken []*term, partitions int) error {
	byName := map[string]*term{}
	for _, t := range taken {
		t.twins = newTwins()
		byName[t.partition] = t
	}
	return l.with(ctx, func(ctx context.Context, link *link) error {
		var license proto.ColUUID
		var boot proto.ColStr
		server := new(proto.ColStr).LowCardinality()
		var word, set proto.ColUInt64
		return link.do(ctx, "ask for recent samples", ch.Query{
			Body:       askTwins,
			Parameters: ch.Parameters(map[string]any{"since": link.clock.when(time.Now().Add(-twinWindow))}),
			Result: proto.Results{
				{Name: "license_id", Data: &license}, {Name: "server_id", Data: server},
				{Name: "started", Data: &boot}, {Name: "word", Data: &word}, {Name: "bits", Data: &set},
			},
			OnResult: func(context.Context, proto.Block) error {
				for i := range license {
					p := publisher{license[i], server.Row(i), boot.Row(i)}
					for _, name := range publisherPartitions(p, partitions) {
						if t := byName[name]; t != nil {
							learn(t.twins.publisher(p), word[i]*64, set[i])
						}
					}
				}
				return nil
			},
		})
	})
}

// learn adds the counts from first on whose bits are set.
func learn(known *ranges, first, set uint64) {
	for ; set != 0; set &= set - 1 {
		known.add(first + uint64(bits.TrailingZeros64(set)))
	}
}

// publisherPartitions are the partitions that a publisher's samples may come by: of its license's subject, of its
// server's, and the rest.
func publisherPartitions(p publisher, count int) []string {
	license := p.license.String()
	return []string{partitionOf(count, license), partitionOf(count, license, p.server), restPartition}
}

// partitionOf is what JetStream's partition function gives for these words.
func partitionOf(count int, words ...string) string {
	h := fnv.New32a()
	for _, word := range words {
		h.Write([]byte(word))
	}
	return strconv.Itoa(int(h.Sum32() % uint32(count)))
}
