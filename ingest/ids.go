package ingest

import (
	"context"
	"crypto/sha256"
	"io"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"
)

// messageID names a message within its license: the start of a SHA-256 over both, for ids may be long.
type messageID [16]byte

func newMessageID(license uuid.UUID, id string) messageID {
	h := sha256.New()
	h.Write(license[:])
	_, _ = io.WriteString(h, id) // never fails
	var sum [sha256.Size]byte
	return messageID(h.Sum(sum[:0]))
}

// identity is which message brought an id, and when JetStream stored it, ms.
type identity struct {
	epoch, seq uint64
	storedAt   int64
}

// knownID is an id that an earlier owner of a partition has stored.
type knownID struct {
	id messageID
	of identity
}

// messageIDs remembers the ids of the last minutes, of all partitions: which one an id comes by again is not known. It
// is not safe for concurrent use.
type messageIDs struct {
	generations[messageID, identity]
}

func newMessageIDs() *messageIDs {
	return &messageIDs{newGenerations[messageID, identity](idWindow, maxIDs)}
}

// message notes a message that has an id; true where another message had it within the window. A message that is
// delivered again is not another.
func (m *messageIDs) message(id messageID, of identity) bool {
	m.turn(of.storedAt)
	for _, known := range []map[messageID]identity{m.young, m.old} {
		first, has := known[id]
		if has && (first.epoch != of.epoch || first.seq != of.seq) && within(first.storedAt, of.storedAt, idWindow) {
			return true
		}
	}
	m.put(id, of)
	return false
}

func within(a, b int64, window time.Duration) bool {
	return max(a, b)-min(a, b) <= window.Milliseconds()
}

// idColumns are the message ids of a batch, as rows of corrosion.message_ids. They are stored after the batch's samples
// and before its acks: a message whose id was not stored is delivered again and brings it along.
type idColumns struct {
	license  proto.ColUUID
	id       proto.ColStr
	epoch    proto.ColUInt64
	seq      proto.ColUInt64
	storedAt proto.ColInt64
}

func (c *idColumns) append(license uuid.UUID, id string, of identity) {
	c.license = append(c.license, license)
	c.id.Append(id)
	c.epoch = append(c.epoch, of.epoch)
	c.seq = append(c.seq, of.seq)
	c.storedAt = append(c.storedAt, of.storedAt)
}

func (c *idColumns) rows() int { return len(c.license) }

func (c *idColumns) reset() {
	c.license, c.epoch, c.seq, c.storedAt = c.license[:0], c.epoch[:0], c.seq[:0], c.storedAt[:0]
	c.id.Reset()
}

func (c *idColumns) input() proto.Input {
	return proto.Input{
		{Name: "license_id", Data: &c.license}, {Name: "id", Data: &c.id}, {Name: "epoch", Data: &c.epoch}, {Name: "seq", Data: &c.seq},
		{Name: "stored_at", Data: typed{&c.storedAt, "DateTime64(3, 'UTC')"}},
	}
}

// storeIDs keeps the ids of a batch. Done twice it changes nothing that is read.
func (l *link) storeIDs(ctx context.Context, b *batch) error {
	if b.ids.rows() == 0 {
		return nil
	}
	return l.do(ctx, "insert message ids", ch.Query{
		Body: insertIDs, QueryID: queryPrefix + b.id + "-ids", Input: b.ids.input(),
		Settings: []ch.Setting{{Key: "async_insert", Value: "0", Important: true}},
	})
}

// ids reads which message ids came within the window, into the first of the terms, for all partitions.
func (l *ledger) ids(ctx context.Context, taken []*term) error {
	t := taken[0]
	t.ids = nil
	return l.with(ctx, func(ctx context.Context, link *link) error {
		var c idColumns
		return link.do(ctx, "ask for recent message ids", ch.Query{
			Body:       askIDs,
			Parameters: ch.Parameters(map[string]any{"since": link.clock.when(time.Now().Add(-idWindow))}),
			Result: proto.Results{
				{Name: "license_id", Data: &c.license}, {Name: "id", Data: &c.id}, {Name: "epoch", Data: &c.epoch},
				{Name: "seq", Data: &c.seq}, {Name: "at", Data: &c.storedAt},
			},
			OnResult: func(context.Context, proto.Block) error {
				for i := range c.license {
					t.ids = append(t.ids, knownID{newMessageID(c.license[i], c.id.Row(i)), identity{c.epoch[i], c.seq[i], c.storedAt[i]}})
				}
				return nil
			},
		})
	})
}
