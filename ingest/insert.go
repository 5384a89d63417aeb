package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go"

	"corrosion/schema"
	"corrosion/schema/pause"
)

// insertSettings make one batch one INSERT that returns when it is stored, in the table and in its views, and that a
// resend with the same token completes instead of repeating.
func insertSettings(token string) []ch.Setting {
	return []ch.Setting{
		{Key: "async_insert", Value: "0", Important: true},
		{Key: "insert_deduplicate", Value: "1", Important: true},
		{Key: "deduplicate_blocks_in_dependent_materialized_views", Value: "1", Important: true},
		{Key: "insert_deduplication_token", Value: token, Important: true},
		// A view's rows have each key once already; looking for more costs a tenth of the INSERT.
		{Key: "optimize_on_insert", Value: "0"},
	}
}

// attempt is what is known of a batch's earlier tries.
type attempt struct {
	// first is when the first try began, server the ClickHouse that it went to, last until when a try may begin there.
	first  time.Time
	server serverStart
	last   time.Time
	// renewed counts the tokens given up.
	renewed int
	// doubtful says that an earlier try may have stored something, changed that rows were dropped since.
	doubtful, changed bool
	// healed says that rollups were healed since the first try: ClickHouse takes that one no more.
	healed bool
	// asked says that what earlier owners have stored of the batch has been dropped.
	asked bool
	// done says that the rows are stored.
	done bool
	// skipped counts the rows that were stored already.
	skipped int
}

// resendWithin is how long after a first try its token is relied on: ClickHouse remembers a thousand of them.
const resendWithin = time.Minute

// token names the batch's rows for ClickHouse's deduplication, and the INSERT that carries them.
func (b *batch) token() string {
	return queryPrefix + b.id + "-" + strconv.Itoa(b.attempt.renewed)
}

// inserter stores batches over one connection that it opens when needed. It is not safe for concurrent use.
//
// It speaks through ch-go, on which clickhouse-go stands: columns that were filled in memory go out as they are, where
// clickhouse-go would box every word and every map (BenchmarkInsert has the figures).
type inserter struct {
	link
	timeout  time.Duration
	takeover time.Duration
	fence    insertFence
	now      func() time.Time
}

func newInserter(c Config, now func() time.Time) (*inserter, error) {
	l, err := newLink(&c)
	if err != nil {
		return nil, err
	}
	return &inserter{link: l, timeout: c.InsertTimeout, takeover: c.Partitions.Takeover, fence: newInsertFence(schema.SamplesTable), now: now}, nil
}

// insert stores b as one block. Nil means that every row of a partition that is still ours, and what the views make of
// it, is stored, once. After an error the same batch is given again. Rows that turn out to be stored, and messages whose
// partition was lost, are dropped from b.
func (i *inserter) insert(ctx context.Context, b *batch) error {
	if b.expel() && b.attempt.doubtful {
		b.attempt.changed = true
	}
	if b.rows == 0 && b.ids.rows() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	if err := i.connect(ctx); err != nil {
		return err
	}
	if !b.attempt.done {
		if err := i.insertRows(ctx, b); err != nil {
			return err
		}
		b.attempt.done = true
	}
	return i.storeIDs(ctx, b)
}

// insertRows stores the samples.
func (i *inserter) insertRows(ctx context.Context, b *batch) error {
	if err := i.settleDoubt(ctx, b); err != nil || b.rows == 0 {
		return err
	}
	until, err := i.until(b)
	if err != nil {
		return err
	}
	try := &b.attempt
	before := *try
	if !try.doubtful {
		try.first, try.server, try.doubtful = i.now(), i.server, true
	}
	try.last = until
	err = i.do(ctx, "insert", ch.Query{
		Body: i.fence.text(i.clock.when(try.first), i.clock.when(until)), QueryID: b.token(), Input: b.input,
		Settings: insertSettings(b.token()),
	})
	if errors.Is(err, errHealing) { // refused before it began: nothing new is in doubt
		*try = before
		try.changed, try.healed = try.changed || try.doubtful, try.doubtful
	}
	return err
}

// settleDoubt drops what is stored already.
//
// Soon after a first try, the same block to the same run of the server needs no question: that server honours its
// token, it drops what it has stored, and refuses a second INSERT of the same query_id while the first still runs. Else
// the token proves nothing: a server that was killed may know one whose rows it lost, and a long-lived one forgets. Then
// the earlier try must be over, and the rest goes under another token.
func (i *inserter) settleDoubt(ctx context.Context, b *batch) error {
	try := &b.attempt
	if !try.doubtful {
		if try.asked {
			return nil
		}
		skipped, err := i.ask(ctx, b, false)
		if err == nil {
			try.asked, try.skipped = true, try.skipped+skipped
		}
		return err
	}
	same := i.server.ranAt(try.first, try.server)
	if same && !try.changed && i.now().Sub(try.first) < resendWithin {
		return nil
	}
	if same {
		if !try.healed && !pause.For(ctx, time.Until(try.last)) { // what is still on its way may begin until then
			return ctx.Err()
		}
		if err := i.over(ctx, b.token(), []string{b.token()}); err != nil {
			return err
		}
	}
	skipped, err := i.ask(ctx, b, true)
	if err != nil {
		return err
	}
	try.skipped += skipped
	try.renewed++
	try.doubtful, try.changed, try.healed, try.asked = false, false, false, true
	return nil
}

// until is when the batch's INSERT must have begun: before any of its leases can be another's.
func (i *inserter) until(b *batch) (time.Time, error) {
	now := time.Now()
	until := now.Add(i.timeout)
	var last *lane
	for r := range b.receipts {
		if l := b.receipts[r].lane; l != nil && l != last {
			last = l
			if t := l.term.until(i.takeover); t.Before(until) {
				until = t
			}
		}
	}
	if !until.After(now) {
		return until, fmt.Errorf("insert: %w", errLapsed)
	}
	return until, nil
}
