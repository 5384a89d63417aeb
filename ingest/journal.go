package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"corrosion/schema"
)

// journal keeps what became of samples, for their licenses; after an error it is given the same page again.
type journal interface {
	write(context.Context, *journalPage) error
	close()
}

// journalPage is the counts of some seconds; id names it, so that a repeated write does not count twice.
type journalPage struct {
	id   string
	rows []tallyRow
}

// How often counts are written, and how long the last ones may take when the ingester stops.
const (
	journalEvery = 10 * time.Second
	journalLast  = 3 * time.Second
)

const insertTallies = "INSERT INTO " + schema.IngestLogTable + " (license_id, minute, outcome, count, bytes) VALUES"

// ingestLog is the journal in ClickHouse, over a connection of its own. It is not safe for concurrent use.
type ingestLog struct {
	link
	timeout time.Duration
}

func (l *ingestLog) write(ctx context.Context, page *journalPage) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	if err := l.connect(ctx); err != nil {
		return err
	}
	var license proto.ColUUID
	var minute proto.ColDateTime
	outcome := new(proto.ColStr).LowCardinality()
	var counts, bytes proto.ColUInt64
	for _, row := range page.rows {
		license = append(license, row.license)
		minute.Append(time.Unix(row.minute*60, 0))
		outcome.Append(row.outcome)
		counts = append(counts, uint64(row.n))
		bytes = append(bytes, uint64(row.bytes))
	}
	return l.do(ctx, "insert the ingest log", ch.Query{
		Body: insertTallies, QueryID: "corrosion-log-" + page.id,
		Input: proto.Input{
			{Name: "license_id", Data: &license}, {Name: "minute", Data: &minute}, {Name: "outcome", Data: outcome},
			{Name: "count", Data: &counts}, {Name: "bytes", Data: &bytes},
		},
		Settings: []ch.Setting{
			{Key: "async_insert", Value: "0", Important: true},
			{Key: "insert_deduplicate", Value: "1", Important: true},
			{Key: "insert_deduplication_token", Value: page.id, Important: true},
		},
	})
}

// scribe writes one page after the other until the pipeline closes pages, or hard ends.
func (p *pipeline) scribe(hard context.Context) {
	trouble := incident{log: p.log, what: "write the ingest log", now: p.now}
	for page := range p.pages {
		_ = p.persist(hard, "journal", &trouble, func(error) {}, func() error { return p.journal.write(hard, page) })
	}
	p.journal.close()
}

// lastReport hands over what is left and gives the scribe a moment to write it.
func (p *pipeline) lastReport(giveUp context.CancelFunc, written <-chan struct{}) {
	p.report()
	close(p.pages)
	late := time.NewTimer(journalLast)
	defer late.Stop()
	select {
	case <-written:
	case <-late.C:
	case <-p.abort:
	}
	giveUp()
	<-written
}

// report hands the counts to the scribe, if it is free: otherwise they wait.
func (p *pipeline) report() {
	p.metrics.uncounted.Add(float64(p.tallies.takeLost()))
	if len(p.pages) == cap(p.pages) || len(p.tallies.minutes) == 0 {
		return
	}
	p.written++
	p.pages <- &journalPage{id: fmt.Sprintf("%s-%d", p.instance, p.written), rows: p.tallies.take()}
}
