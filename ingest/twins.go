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

// What is remembered at most, twice; beyond it the oldest is forgotten early.
const (
	// maxPublishers bounds those of one partition: 17 MiB.
	maxPublishers = 50_000
	// maxSpansTogether bounds the gaps in the counts of one partition's publishers: 8 MiB; maxPublisherSpans those of one publisher.
	maxSpansTogether  = 1 << 19
	maxPublisherSpans = 1024
	// maxIDs bounds the message ids of the whole process: 120 MiB, two minutes of 17,000 ids a second.
	maxIDs = 1 << 21
)

// twins remembers the samples that publishers sent in the last minutes by one partition, by their own names for them:
// server, boot and n. It is not safe for concurrent use.
type twins struct {
	samples generations[publisher, *counts]
	spans   int // in the young generation
	// changes counts the publishers that came and went, so that others know when to look again.
	changes uint64
}

// counts are those of one publisher, and where else its samples may come by.
type counts struct {
	ranges
	paths  []string // partitions; nil until they are needed
	copies []copyOf // of the same length as paths
}

// copyOf is what another partition's twins know of a publisher, as of a number of changes. nil where they do not know it.
type copyOf struct {
	in         *twins
	changes    uint64
	young, old *counts
}

// look makes the copy what the other partition knows now.
func (c *copyOf) look(in *twins, key publisher, now int64) {
	in.turn(now)
	if c.in == in && c.changes == in.changes {
		return
	}
	*c = copyOf{in, in.changes, in.samples.young[key], in.samples.old[key]}
}

func (c *copyOf) has(n uint64) bool {
	return c.young != nil && c.young.has(n) || c.old != nil && c.old.has(n)
}

type publisher struct {
	license      uuid.UUID
	server, boot string
}

func newTwins() *twins {
	return &twins{samples: newGenerations[publisher, *counts](twinWindow, maxPublishers)}
}

// sample notes a sample that names its count; true where it came before, by this partition or by another of beside.
func (t *twins) sample(s *schema.Sample, beside neighbours) bool {
	if !s.Has(schema.N) || !s.Has(schema.Boot) {
		return false
	}
	key := publisher{s.License, s.ServerID, s.Boot}
	n := s.Uint(schema.N)
	t.turn(s.ReceivedAt)
	if old := t.samples.old[key]; old != nil && old.has(n) {
		return true
	}
	known := t.publisher(key)
	if beside.knows(t, known, key, n, s.ReceivedAt) {
		return true
	}
	return !t.learn(known, n)
}

// learn adds a count; false where it was known.
func (t *twins) learn(known *counts, n uint64) bool {
	before := len(known.spans)
	added := known.add(n)
	t.spans += len(known.spans) - before
	if t.spans > maxSpansTogether {
		t.samples.forget()
		t.spans, t.changes = 0, t.changes+1
	}
	return added
}

// turn forgets what is old.
func (t *twins) turn(now int64) {
	if t.samples.turn(now) {
		t.spans, t.changes = 0, t.changes+1
	}
}

// publisher gives the counts that are remembered of one, in the present generation.
func (t *twins) publisher(key publisher) *counts {
	known := t.samples.young[key]
	if known == nil {
		known = &counts{ranges: ranges{limit: maxPublisherSpans}}
		if t.samples.put(key, known) {
			t.spans = 0
		}
		t.changes++
	}
	return known
}

// neighbours are the twins of the partitions that this process has taken, by name: the same sample may come by the
// license's subject and by its server's, which are split differently. What one partition has let through is on its way
// to be stored, or will be by the partition's next owner.
type neighbours struct {
	twins      map[string]*twins
	partitions int
}

// knows tells whether a partition beside t has let the publisher's nth sample through.
func (b neighbours) knows(t *twins, of *counts, key publisher, n uint64, now int64) bool {
	if len(b.twins) < 2 {
		return false
	}
	if of.paths == nil {
		of.paths = publisherPartitions(key, b.partitions)
		of.copies = make([]copyOf, len(of.paths))
	}
	for i, path := range of.paths {
		other := b.twins[path]
		if other == nil || other == t {
			continue
		}
		of.copies[i].look(other, key, now)
		if of.copies[i].has(n) {
			return true
		}
	}
	return false
}

// generations is a map that forgets: what was put in before the last two turns.
type generations[K comparable, V any] struct {
	young, old map[K]V
	since      int64 // ms
	window     time.Duration
	limit      int // of one generation
}

func newGenerations[K comparable, V any](window time.Duration, limit int) generations[K, V] {
	return generations[K, V]{young: map[K]V{}, old: map[K]V{}, window: window, limit: limit}
}

// turn begins a new generation when the present one is as old as the window; true where it did.
func (g *generations[K, V]) turn(now int64) bool {
	if g.since == 0 {
		g.since = now
	}
	age := now - g.since
	if age <= g.window.Milliseconds() {
		return false
	}
	if age > 2*g.window.Milliseconds() { // nothing came for long
		clear(g.young)
	}
	g.old, g.young, g.since = g.young, map[K]V{}, now
	return true
}

// forget begins a new generation early.
func (g *generations[K, V]) forget() { g.old, g.young = g.young, map[K]V{} }

// put adds an entry; true where that began a new generation.
func (g *generations[K, V]) put(key K, value V) (turned bool) {
	if len(g.young) >= g.limit {
		g.forget()
		turned = true
	}
	g.young[key] = value
	return turned
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
							t.twins.learnBits(p, word[i]*64, set[i])
						}
					}
				}
				return nil
			},
		})
	})
}

// learnBits adds the counts from first on whose bits are set.
func (t *twins) learnBits(p publisher, first, set uint64) {
	for ; set != 0; set &= set - 1 {
		t.learn(t.publisher(p), first+uint64(bits.TrailingZeros64(set)))
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
