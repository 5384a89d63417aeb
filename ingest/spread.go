package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
)

// askShards gives the nodes of a cluster as the server knows them.
const askShards = "SELECT shard_num, shard_weight, host_name, port FROM system.clusters WHERE cluster = {cluster:String} ORDER BY shard_num, replica_num"

// shards asks which shards a cluster has, in the order of their numbers.
func (l *link) shards(ctx context.Context) ([]stores.Shard, error) {
	var number, weight proto.ColUInt32
	var host proto.ColStr
	var port proto.ColUInt16
	err := l.do(ctx, "ask for the shards", ch.Query{
		Body: askShards, Parameters: ch.Parameters(map[string]any{"cluster": l.cluster}),
		Result: proto.Results{{Name: "shard_num", Data: &number}, {Name: "shard_weight", Data: &weight}, {Name: "host_name", Data: &host}, {Name: "port", Data: &port}},
	})
	if err != nil {
		return nil, err
	}
	var all []stores.Shard
	for i := range number {
		if i == 0 || number[i] != number[i-1] {
			all = append(all, stores.Shard{Weight: weight[i]})
		}
		s := &all[len(all)-1]
		s.Addrs = append(s.Addrs, net.JoinHostPort(host.Row(i), strconv.Itoa(int(port[i]))))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("ask for the shards: the server knows no cluster %q: %w", l.cluster, errRefused)
	}
	return all, nil
}

// to is a link of the same settings to the addresses of one shard.
func (l *link) to(addrs []string) link {
	return link{url: l.url, addrs: addrs, options: l.options}
}

// spread stores batches on the shards of a cluster: each row on the shard of its server, straight into that shard's own
// table. What goes to one shard is a batch by itself, with its own token, fence and doubts, so that a shard that is away, or
// was started anew, is dealt with as a single server is, and what the others have stored stays stored. The cluster is asked
// for once; its shards must not change while ingesters run. It is not safe for concurrent use.
type spread struct {
	front *inserter   // for what is asked of all shards
	parts []*inserter // by shard; nil until the cluster was asked
	slots cluster.Slots
}

func (s *spread) open(ctx context.Context) error {
	if s.parts != nil {
		return nil
	}
	if err := s.front.connect(ctx); err != nil {
		return err
	}
	all, err := s.front.shards(ctx)
	if err != nil {
		return err
	}
	var weights []uint32
	for _, one := range all {
		part := *s.front
		part.link, part.fence = s.front.to(one.Addrs), s.front.fence.own()
		s.parts, weights = append(s.parts, &part), append(weights, one.Weight)
	}
	s.slots = cluster.NewSlots(weights)
	return nil
}

// insert stores b. Nil means what it means for a single server. After an error the same batch is given again, and what is
// stored on some shards is not sent there again.
func (s *spread) insert(ctx context.Context, b *batch) error {
	b.expel()
	bound, cancel := context.WithTimeout(ctx, s.front.timeout)
	defer cancel()
	if err := s.open(bound); err != nil {
		return err
	}
	if b.parts == nil && b.rows > 0 {
		b.split(s.slots, len(s.parts))
	}
	errs := make([]error, len(b.parts))
	var all sync.WaitGroup
	for i, part := range b.parts {
		if !part.attempt.done {
			all.Go(func() { errs[i] = s.parts[i].insert(ctx, part) })
		}
	}
	all.Wait()
	err := errors.Join(errs...)
	b.gather(err)
	if err == nil && b.ids.rows() > 0 {
		if err = s.front.connect(bound); err == nil {
			err = s.front.storeIDs(bound, b)
		}
	}
	return err
}

func (s *spread) close() {
	s.front.close()
	for _, part := range s.parts {
		part.close()
	}
}

// gather says of the batch what is known of its parts.
func (b *batch) gather(err error) {
	b.attempt = attempt{done: err == nil}
	rows := 0
	for _, part := range b.parts {
		b.attempt.skipped += part.attempt.skipped
		b.attempt.doubtful = b.attempt.doubtful || part.attempt.doubtful && !part.attempt.done
		rows += part.rows
	}
	if err == nil {
		b.rows = rows
	}
}

// split copies the rows of each shard into a batch of their own; the dictionaries are shared. A message has a receipt in each.
func (b *batch) split(slots cluster.Slots, shards int) {
	rows := make([][]int, shards)
	b.parts = make([]*batch, shards)
	for i := range b.parts {
		b.parts[i] = newBatch()
		b.parts[i].id = b.id + "-s" + strconv.Itoa(i+1)
	}
	shardOf := b.shardOf(slots)
	for r := range b.receipts {
		receipt := b.receipts[r]
		for row := receipt.first; row < receipt.first+receipt.rows; row++ {
			at := shardOf(row)
			rows[at] = append(rows[at], row)
		}
		for i, part := range b.parts {
			mine := receipt
			mine.first = 0
			if n := len(part.receipts); n > 0 {
				mine.first = part.receipts[n-1].first + part.receipts[n-1].rows
			}
			mine.rows = len(rows[i]) - mine.first
			if mine.rows > 0 {
				part.receipts = append(part.receipts, mine)
			}
		}
	}
	for i, part := range b.parts {
		part.take(b, rows[i])
	}
}

// shardOf gives the shard of a row. Each server of the batch is hashed once: neighbours are often of one license.
func (b *batch) shardOf(slots cluster.Slots) func(row int) int {
	type place struct {
		license [16]byte
		server  uint32
	}
	known := make(map[place]int, 1024)
	return func(row int) int {
		at := place{b.license[row], b.server.keys[row]}
		shard, ok := known[at]
		if !ok {
			shard = slots.Of(b.license[row], b.server.dict.Row(int(at.server)))
			known[at] = shard
		}
		return shard
	}
}

// take copies rows of another batch.
func (b *batch) take(from *batch, rows []int) {
	b.license, b.ts = chosen(from.license, rows), chosen(from.ts, rows)
	b.server.share(from.server, rows)
	for f := range b.fields {
		b.fields[f].take(&from.fields[f], rows)
	}
	b.metrics.take(from.metrics, rows)
	b.epoch, b.seq = chosen(from.epoch, rows), chosen(from.seq, rows)
	b.idx, b.received = chosen(from.idx, rows), chosen(from.received, rows)
	b.rows = len(rows)
}

// chosen copies the elements at these places.
func chosen[S ~[]E, E any](s S, places []int) S {
	out := make(S, len(places))
	for to, from := range places {
		out[to] = s[from]
	}
	return out
}

// share takes over the dictionary of another column, which nobody adds to any more, and some of its rows.
func (w *words) share(from *words, rows []int) {
	w.dict, w.keys = from.dict, chosen(from.keys, rows)
}

func (c *fieldColumn) take(from *fieldColumn, rows []int) {
	switch {
	case c.text != nil:
		c.text.share(from.text, rows)
		return
	case c.u32 != nil:
		*c.u32 = chosen(*from.u32, rows)
	case c.u64 != nil:
		*c.u64 = chosen(*from.u64, rows)
	default:
		*c.f64 = chosen(*from.f64, rows)
	}
	c.number.nulls = chosen(from.number.nulls, rows)
}

func (m *metricsColumn) take(from *metricsColumn, rows []int) {
	m.keys.dict = from.keys.dict
	m.ends = slices.Grow(m.ends, len(rows))
	for _, row := range rows {
		start := uint64(0)
		if row > 0 {
			start = from.ends[row-1]
		}
		m.keys.keys = append(m.keys.keys, from.keys.keys[start:from.ends[row]]...)
		m.values = append(m.values, from.values[start:from.ends[row]]...)
		m.ends = append(m.ends, uint64(len(m.values)))
	}
}
