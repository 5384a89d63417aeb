package ingest

import (
	"slices"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"

	"corrosion/schema"
)

// receipt is what a batch owes one message: an ack once all of it is stored or buried.
type receipt struct {
	reply      string
	epoch, seq uint64
	storedAt   int64 // ms: when JetStream stored the message
	lane       *lane // that the message came by; nil in tests
	first      int   // row of the batch, and how many
	rows       int
	// doubtful says that another run may have stored some of the message.
	doubtful bool
	// poison is why the message as a whole was unreadable; such a message is terminated instead of acknowledged.
	poison string
}

// batch is rows as columns, the dead letters met on the way, and the receipts owed for both. It becomes one block and
// one INSERT. It is not safe for concurrent use: the pipeline owns it while it fills, the flusher until it is stored.
type batch struct {
	id       string // names the INSERT in query_id and token; set when the batch is sent off
	oldest   int64  // ms: when JetStream stored the oldest message; 0 where empty
	receipts []receipt
	letters  []letter
	expelled []receipt // dropped with their rows, for their partition was lost
	ids      idColumns
	since    time.Time // when the first message came

	rows  int
	bytes int // what the columns, letters, ids and receipts hold, about

	license  proto.ColUUID
	server   *words
	ts       proto.ColInt64
	fields   [schema.NumFields]fieldColumn
	metrics  *metricsColumn
	epoch    proto.ColUInt64
	seq      proto.ColUInt64
	idx      proto.ColUInt16
	received proto.ColInt64
	input    proto.Input

	attempt attempt
	// parts are the batch's rows by shard, once it was split; nil on a single server.
	parts []*batch
}

// rowBytes is a row without texts and metrics: identity and times, three word keys, and a null mark for each field.
const rowBytes = 16 + 3*8 + 8 + 2 + 4*int(schema.NumFields) + 9*int(schema.NumFields)/2

// receiptBytes is a receipt and its reply subject.
const receiptBytes = 200

// newBatch makes an empty batch whose columns are those of schema.SampleColumns, in order.
func newBatch() *batch {
	b := &batch{}
	b.server, b.metrics = newWords(false, &b.bytes), newMetricsColumn(&b.bytes)
	data := map[string]proto.ColInput{
		"license_id": &b.license, "server_id": b.server, "ts": &b.ts, "metrics": b.metrics,
		"epoch": &b.epoch, "seq": &b.seq, "idx": &b.idx, "received_at": &b.received,
	}
	for f := range schema.NumFields {
		b.fields[f] = newFieldColumn(f, &b.bytes)
		data[f.String()] = b.fields[f].input()
	}
	for _, c := range schema.SampleColumns() {
		b.input = append(b.input, proto.InputColumn{Name: c.Name, Data: typed{data[c.Name], proto.ColumnType(c.Type)}})
	}
	return b
}

// room is how many rows a batch may come to that has no texts and metrics.
func (c *BatchConfig) room() int { return min(c.Rows, c.Bytes/rowBytes) + schema.MaxMessageSamples }

// room makes the columns large enough for that many rows at once: a backlog would else spend a fifth of the first second on
// copying columns that grow. The system gives the memory only as it is filled.
func (b *batch) room(rows int) *batch {
	b.license, b.ts = slices.Grow(b.license, rows), slices.Grow(b.ts, rows)
	b.server.keys = slices.Grow(b.server.keys, rows)
	for f := range b.fields {
		b.fields[f].room(rows)
	}
	b.metrics.ends = slices.Grow(b.metrics.ends, rows)
	b.epoch, b.seq = slices.Grow(b.epoch, rows), slices.Grow(b.seq, rows)
	b.idx, b.received = slices.Grow(b.idx, rows), slices.Grow(b.received, rows)
	return b
}

// Append adds one row. It copies what it needs and, once the columns have grown, allocates nothing.
func (b *batch) Append(s *schema.Sample) {
	b.license = append(b.license, s.License)
	b.server.append(s.ServerID)
	b.ts = append(b.ts, s.TS)
	for f := range schema.NumFields {
		b.fields[f].append(f, s)
	}
	b.metrics.append(s.Metrics)
	b.epoch = append(b.epoch, s.Epoch)
	b.seq = append(b.seq, s.Seq)
	b.idx = append(b.idx, s.Idx)
	b.received = append(b.received, s.ReceivedAt)
	b.rows++
	b.bytes += rowBytes + 12*len(s.Metrics)
}

// owe adds a receipt, and with the first one starts the batch's age.
func (b *batch) owe(r receipt, now time.Time) {
	if len(b.receipts) == 0 {
		b.since, b.oldest = now, r.storedAt
	}
	b.oldest = min(b.oldest, r.storedAt)
	b.receipts = append(b.receipts, r)
	b.bytes += receiptBytes
}

// name keeps a message's id.
func (b *batch) name(license uuid.UUID, id string, of identity) {
	b.ids.append(license, id, of)
	b.bytes += len(id) + 64
}

// bury adds a dead letter.
func (b *batch) bury(l letter) {
	b.letters = append(b.letters, l)
	b.bytes += len(l.body) + 256
}

// Full tells whether the batch holds as much as it may.
func (b *batch) Full(limit BatchConfig) bool {
	return b.rows >= limit.Rows || b.bytes >= limit.Bytes || len(b.receipts) >= limit.Rows
}

// empty tells whether nothing is owed.
func (b *batch) empty() bool { return len(b.receipts) == 0 }

// Reset forgets all rows, letters and receipts and keeps the capacity of every column.
func (b *batch) Reset() {
	b.license, b.ts = b.license[:0], b.ts[:0]
	b.server.reset()
	for f := range b.fields {
		b.fields[f].reset()
	}
	b.metrics.reset()
	b.ids.reset()
	b.epoch, b.seq, b.idx, b.received = b.epoch[:0], b.seq[:0], b.idx[:0], b.received[:0]
	b.rows, b.bytes = 0, 0
	clear(b.receipts) // lets go of the reply subjects
	clear(b.letters)
	clear(b.expelled)
	b.receipts, b.letters, b.expelled = b.receipts[:0], b.letters[:0], b.expelled[:0]
	b.id, b.since, b.oldest, b.attempt = "", time.Time{}, 0, attempt{}
	b.parts = nil
}
