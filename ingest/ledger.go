package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"corrosion/schema"
	"corrosion/schema/pause"
)

// queryPrefix begins the query_id of every INSERT of an ingester; its instance follows.
const queryPrefix = schema.IngestQueryPrefix

// instancePrefix begins the query_ids of one instance.
func instancePrefix(instance string) string { return queryPrefix + instance + "-" }

// overEvery is how often ClickHouse is asked whether an INSERT is over; overWithin bounds one wait, after which the
// caller backs off.
const (
	overEvery  = 50 * time.Millisecond
	overWithin = 20 * time.Second
)

// ledger asks ClickHouse what is stored, on a connection of its own.
type ledger struct {
	mu       sync.Mutex // covers link
	link     link
	instance string
	// shards are links to each node of a cluster; nil until they were asked for.
	shards []link
}

// with lends the connection to ask.
func (l *ledger) with(ctx context.Context, ask func(context.Context, *link) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := l.link.connect(ctx); err != nil {
		return err
	}
	return ask(ctx, &l.link)
}

func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.link.close()
	for i := range l.shards {
		l.shards[i].close()
	}
}

// settle returns when every INSERT that has begun by now is over: also our own, which may hold what we lost and took
// again. Those of the previous owners are ended: their leases are lost.
func (l *ledger) settle(ctx context.Context, previous []string) error {
	return l.with(ctx, func(ctx context.Context, link *link) error {
		if link.cluster == "" {
			return link.settle(ctx, previous)
		}
		if err := l.openShards(ctx, link); err != nil {
			return err
		}
		for i := range l.shards {
			err := l.shards[i].connect(ctx)
			if err == nil {
				err = l.shards[i].settle(ctx, previous)
			}
			if err != nil {
				return fmt.Errorf("shard %d: %w", i+1, err)
			}
		}
		return nil
	})
}

func (l *ledger) openShards(ctx context.Context, front *link) error {
	if l.shards != nil {
		return nil
	}
	all, err := front.shards(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		for _, addr := range one.Addrs { // an INSERT may run on any replica
			l.shards = append(l.shards, front.to([]string{addr}))
		}
	}
	return nil
}

func (l *link) settle(ctx context.Context, previous []string) error {
	running, err := l.running(ctx, queryPrefix)
	if err != nil || len(running) == 0 {
		return err
	}
	for _, instance := range previous {
		if err := l.kill(ctx, instancePrefix(instance)); err != nil {
			return err
		}
	}
	return l.over(ctx, queryPrefix, running)
}

// highest gives the highest sequence from first on that is stored of a stream's incarnation; 0: none.
func (l *ledger) highest(ctx context.Context, epoch, first uint64) (highest uint64, err error) {
	err = l.with(ctx, func(ctx context.Context, link *link) error {
		var column proto.ColUInt64
		err := link.do(ctx, "ask for the highest sequence", ch.Query{
			Body: askHighest, Parameters: ch.Parameters(map[string]any{"epoch": epoch, "first": first}),
			Result: proto.Results{{Name: "highest", Data: &column}},
		})
		if err == nil && len(column) == 1 {
			highest = column[0]
		}
		return err
	})
	return highest, err
}

// running lists the INSERTs under way whose query_id begins with prefix.
func (l *link) running(ctx context.Context, prefix string) ([]string, error) {
	var ids proto.ColStr
	err := l.do(ctx, "ask for running inserts", ch.Query{
		Body: askRunning, Parameters: ch.Parameters(map[string]any{"prefix": prefix}),
		Result: proto.Results{{Name: "query_id", Data: &ids}},
	})
	var all []string
	for i := range ids.Rows() {
		all = append(all, ids.Row(i))
	}
	return all, err
}

// over waits until none of these INSERTs is under way any more.
func (l *link) over(ctx context.Context, prefix string, these []string) error {
	ctx, cancel := context.WithTimeout(ctx, overWithin)
	defer cancel()
	for {
		running, err := l.running(ctx, prefix)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(these, func(id string) bool { return slices.Contains(running, id) }) {
			return nil
		}
		if !pause.For(ctx, overEvery) {
			return fmt.Errorf("%d earlier inserts are still running: %w", len(these), ctx.Err())
		}
	}
}

// kill ends the INSERTs whose query_id begins with prefix, which holds no quote.
func (l *link) kill(ctx context.Context, prefix string) error {
	if strings.ContainsAny(prefix, `'\`) {
		return fmt.Errorf("%q is no query_id", prefix)
	}
	var status, id, user, query proto.ColStr
	return l.do(ctx, "kill inserts of a lost owner", ch.Query{
		Body: fmt.Sprintf(killRunning, prefix),
		Result: proto.Results{
			{Name: "kill_status", Data: &status}, {Name: "query_id", Data: &id}, {Name: "user", Data: &user}, {Name: "query", Data: &query},
		},
	})
}

// rowID is a row's identity.
type rowID struct {
	epoch, seq uint64
	idx        uint16
}

// askGap splits a question where so many sequences in a row are not asked for: they may be stored, and would be sent.
const askGap = 10_000

// question is a range of sequences of one incarnation and the time that their rows span, ms.
type question struct {
	epoch, first, last uint64
	from, to           int64
}

// ask drops what is stored of a batch: of all its messages, or of the doubtful ones. It gives how many rows that was.
func (l *link) ask(ctx context.Context, b *batch, all bool) (dropped int, err error) {
	stored := map[rowID]struct{}{}
	for _, q := range b.questions(all) {
		if err := l.stored(ctx, q, stored); err != nil {
			return 0, err
		}
	}
	if len(stored) == 0 {
		return 0, nil
	}
	before := b.rows
	b.compact(func(row int) bool {
		_, has := stored[rowID{b.epoch[row], b.seq[row], b.idx[row]}]
		return has
	})
	return before - b.rows, nil
}

func (l *link) stored(ctx context.Context, q question, into map[rowID]struct{}) error {
	var seq proto.ColUInt64
	var idx proto.ColUInt16
	return l.do(ctx, "ask for stored rows", ch.Query{
		Body: askStored,
		Parameters: ch.Parameters(map[string]any{
			"epoch": q.epoch, "first": q.first, "last": q.last, "from": q.from, "to": q.to,
		}),
		Settings: []ch.Setting{{Key: "select_sequential_consistency", Value: "1"}},
		Result:   proto.Results{{Name: "seq", Data: &seq}, {Name: "idx", Data: &idx}},
		OnResult: func(context.Context, proto.Block) error {
			for i := range seq {
				into[rowID{q.epoch, seq[i], idx[i]}] = struct{}{}
			}
			return nil
		},
	})
}

// questions cover the batch's messages, or its doubtful ones, that have rows.
func (b *batch) questions(all bool) []question {
	var parts []question
	for i := range b.receipts {
		r := &b.receipts[i]
		if r.rows == 0 || !all && !r.doubtful {
			continue
		}
		q := question{r.epoch, r.seq, r.seq, math.MaxInt64, math.MinInt64}
		for _, ts := range b.ts[r.first : r.first+r.rows] {
			q.from, q.to = min(q.from, ts), max(q.to, ts)
		}
		parts = append(parts, q)
	}
	slices.SortFunc(parts, func(a, b question) int {
		if a.epoch != b.epoch {
			return compare(a.epoch, b.epoch)
		}
		return compare(a.first, b.first)
	})
	var merged []question
	for _, q := range parts {
		if n := len(merged); n > 0 && merged[n-1].epoch == q.epoch && q.first-merged[n-1].last <= askGap {
			m := &merged[n-1]
			m.last, m.from, m.to = q.last, min(m.from, q.from), max(m.to, q.to)
			continue
		}
		merged = append(merged, q)
	}
	return merged
}

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1
}

var errLapsed = errors.New("the lease is not confirmed")
