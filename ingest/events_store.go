package ingest

import (
	"context"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"

	"corrosion/schema"
)

// askMarkIDs gives where message ids, sent along as the table recent, stored marks within the window.
const askMarkIDs = "SELECT DISTINCT license_id, message_id, epoch, seq FROM " + schema.EventsTable +
	" WHERE (license_id, message_id) IN recent" +
	" AND received_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')"

// eventStore keeps marks over a connection that it opens when needed. It is not safe for concurrent use.
type eventStore struct {
	link
	timeout time.Duration
}

// eventColumns are marks as columns of schema.EventsTable.
type eventColumns struct {
	license, id                                        proto.ColUUID
	ts, receivedAt                                     proto.ColInt64
	server, kind, title, text, data, source, messageID proto.ColStr
	epoch, seq                                         proto.ColUInt64
	idx                                                proto.ColUInt16
	version                                            proto.ColUInt32
	deleted                                            proto.ColUInt8
}

func (c *eventColumns) append(e *schema.Event) {
	c.license, c.id = append(c.license, e.License), append(c.id, e.ID)
	c.ts, c.receivedAt = append(c.ts, e.TS), append(c.receivedAt, e.ReceivedAt)
	c.server.Append(e.ServerID)
	c.kind.Append(string(e.Kind))
	c.title.Append(e.Title)
	c.text.Append(e.Text)
	c.data.Append(e.Data)
	c.source.Append(string(e.Source))
	c.messageID.Append(e.MessageID)
	c.epoch, c.seq, c.idx = append(c.epoch, e.Epoch), append(c.seq, e.Seq), append(c.idx, e.Idx)
	c.version, c.deleted = append(c.version, e.Version), append(c.deleted, 0)
}

func (c *eventColumns) input() proto.Input {
	const millis = "DateTime64(3, 'UTC')"
	data := []proto.ColInput{
		&c.license, typed{&c.ts, millis}, &c.id, &c.server, &c.kind, &c.title, &c.text, &c.data, &c.source, typed{&c.receivedAt, millis},
		&c.messageID, &c.epoch, &c.seq, &c.idx, &c.version, &c.deleted,
	}
	input := make(proto.Input, len(data))
	for i, name := range schema.EventColumns() {
		input[i] = proto.InputColumn{Name: name, Data: data[i]}
	}
	return input
}

// insert stores marks as one block. Done twice it changes nothing that is read.
func (s *eventStore) insert(ctx context.Context, events []schema.Event) error {
	if len(events) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return err
	}
	var c eventColumns
	for i := range events {
		c.append(&events[i])
	}
	return s.do(ctx, "insert marks", ch.Query{
		Body: schema.InsertEvents() + " VALUES", Input: c.input(),
		Settings: []ch.Setting{{Key: "async_insert", Value: "0", Important: true}},
	})
}

// markID is a message id of a license, markPlace where it came first.
type (
	markID struct {
		license uuid.UUID
		id      string
	}
	markPlace struct{ epoch, seq uint64 }
)

// fresh leaves out the marks of messages whose id came with an earlier message of their license within two minutes.
func (s *eventStore) fresh(ctx context.Context, events []schema.Event) (fresh []schema.Event, repeated int, err error) {
	first, err := s.places(ctx, events)
	if err != nil {
		return nil, 0, err
	}
	for i := range events {
		e := &events[i]
		if e.MessageID != "" {
			id, place := markID{e.License, e.MessageID}, markPlace{e.Epoch, e.Seq}
			earlier, known := first[id]
			if known && earlier != place {
				repeated++
				continue
			}
			first[id] = place
		}
		fresh = append(fresh, *e)
	}
	return fresh, repeated, nil
}

// places asks where the message ids of marks came first. A message that was stored before is its own first place.
func (s *eventStore) places(ctx context.Context, events []schema.Event) (map[markID]markPlace, error) {
	first := map[markID]markPlace{}
	var licenses proto.ColUUID
	var ids proto.ColStr
	var since int64
	for i := range events {
		if e := &events[i]; e.MessageID != "" {
			licenses = append(licenses, e.License)
			ids.Append(e.MessageID)
			if at := e.ReceivedAt - idWindow.Milliseconds(); since == 0 || at < since {
				since = at
			}
		}
	}
	if len(licenses) == 0 {
		return first, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	var license proto.ColUUID
	var id proto.ColStr
	var epoch, seq proto.ColUInt64
	err := s.do(ctx, "ask for recent message ids of marks", ch.Query{
		Body:          askMarkIDs,
		Parameters:    ch.Parameters(map[string]any{"since": since}),
		ExternalTable: "recent",
		ExternalData:  []proto.InputColumn{{Name: "license_id", Data: &licenses}, {Name: "message_id", Data: &ids}},
		Result: proto.Results{
			{Name: "license_id", Data: &license}, {Name: "message_id", Data: &id}, {Name: "epoch", Data: &epoch}, {Name: "seq", Data: &seq},
		},
		OnResult: func(context.Context, proto.Block) error {
			for i := range license {
				key, place := markID{license[i], id.Row(i)}, markPlace{epoch[i], seq[i]}
				if known, ok := first[key]; !ok || place.epoch < known.epoch || place.epoch == known.epoch && place.seq < known.seq {
					first[key] = place
				}
			}
			return nil
		},
	})
	return first, err
}
