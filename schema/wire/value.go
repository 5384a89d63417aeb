package wire

import (
	"fmt"
	"math"
	"time"

	"github.com/go-faster/jx"

	"corrosion/schema"
)

// value decodes the next JSON value into s as sample number index. A fault makes the sample bad; the value is then read
// to its end all the same. An error means broken JSON.
func (d *Decoder) value(s *schema.Sample, index int) (fault, error) {
	if d.json.Next() != jx.Object {
		if err := d.json.Skip(); err != nil {
			return fault{}, err
		}
		return fault{NotObject, "a sample must be a JSON object"}, nil
	}
	d.begin(s, index)
	start := len(d.metrics)
	f, err := d.fields(s, start)
	if err != nil {
		return fault{}, err
	}
	s.Metrics = d.metrics[start:len(d.metrics):len(d.metrics)]
	if f.reason == "" {
		f = d.check(s)
	}
	return f, nil
}

func (d *Decoder) begin(s *schema.Sample, index int) {
	s.Reset()
	s.Metrics = nil
	s.License, s.Epoch, s.Seq = d.env.License, d.env.Epoch, d.env.Seq
	s.Idx = uint16(index)
	s.ReceivedAt, s.TS = d.env.StoredAt, d.env.StoredAt
	d.timed, d.ignored = false, 0
	d.keys.begin()
}

// fields decodes an object's fields; after the first fault it only reads on to the end.
func (d *Decoder) fields(s *schema.Sample, start int) (f fault, err error) {
	object, err := d.json.ObjIter()
	if err != nil {
		return fault{}, err
	}
	for place := 0; object.Next(); place++ {
		if f.reason != "" {
			err = d.json.Skip()
		} else {
			f, err = d.field(s, place, start, object.Key())
		}
		if err != nil {
			return fault{}, err
		}
	}
	return f, object.Err()
}

func (d *Decoder) field(s *schema.Sample, place, start int, key []byte) (fault, error) {
	w := d.keys.find(&d.keys.top, place, key)
	if w == nil {
		return d.unknown(nil, start, key)
	}
	switch w.role {
	case known:
		if w.field.Info().Kind == schema.Text {
			return d.text(s, w.field)
		}
		return d.number(s, w.field)
	case serverID:
		return d.serverID(s)
	case timestamp:
		return d.timestamp(s)
	case metricsObject:
		return d.metricsObject(start)
	default:
		return d.unknown(w, start, key)
	}
}

func (d *Decoder) number(s *schema.Sample, f schema.Field) (fault, error) {
	raw, err := d.json.Raw()
	if err != nil || isNull(raw) {
		return fault{}, err
	}
	if s.Has(f) {
		return duplicate(f.String()), nil
	}
	if !isNumber(raw) {
		return wrongType(f.String(), raw, "a number"), nil
	}
	if f.Info().Kind == schema.Float {
		return setFloat(s, f, raw), nil
	}
	return setUint(s, f, raw), nil
}

func setFloat(s *schema.Sample, f schema.Field, raw []byte) fault {
	v, reason := parseFloat(raw)
	if reason == "" && v < 0 {
		reason = OutOfRange
	}
	if reason != "" {
		return badNumber(reason, f.String(), raw, "0", maxFloatText)
	}
	s.SetFloat(f, v+0) // + 0 makes -0 a 0
	return fault{}
}

func setUint(s *schema.Sample, f schema.Field, raw []byte) fault {
	most, mostText := uint64(math.MaxUint32), maxUint32Text
	if f.Info().Kind == schema.Uint64 {
		most, mostText = math.MaxUint64, maxUint64Text
	}
	v, reason := parseUint(raw)
	if reason == "" && v > most {
		reason = OutOfRange
	}
	if reason != "" {
		return badNumber(reason, f.String(), raw, "0", mostText)
	}
	s.SetUint(f, v)
	return fault{}
}

func (d *Decoder) text(s *schema.Sample, f schema.Field) (fault, error) {
	b, bad, err := d.string(f.String(), s.Has(f))
	if err != nil || bad.reason != "" || b == nil {
		return bad, err
	}
	if len(b) > schema.MaxTextLen {
		return fault{TextTooLong, fmt.Sprintf("%s: %d bytes, at most %d", f, len(b), schema.MaxTextLen)}, nil
	}
	s.SetText(f, d.texts.add(b))
	return fault{}, nil
}

func (d *Decoder) serverID(s *schema.Sample) (fault, error) {
	b, bad, err := d.string("server_id", s.ServerID != "")
	if err != nil || bad.reason != "" || b == nil {
		return bad, err
	}
	id, ok := d.servers.get(b)
	if !ok {
		if !schema.ValidServerID(b) {
			return fault{BadServer, fmt.Sprintf("server_id: %q is not [A-Za-z0-9_-]{1,%d} or is a reserved word",
				clip(string(b), 64), schema.MaxServerIDLen)}, nil
		}
		id = d.servers.add(b)
	}
	s.ServerID = id
	return fault{}, nil
}

// string reads a string's bytes, valid until the next one; nil means null.
func (d *Decoder) string(name string, again bool) ([]byte, fault, error) {
	if d.json.Next() != jx.String {
		raw, err := d.json.Raw()
		if err != nil || isNull(raw) {
			return nil, fault{}, err
		}
		return nil, wrongType(name, raw, "a string"), nil
	}
	b, err := d.json.StrAppend(d.scratch[:0])
	if err != nil {
		return nil, fault{}, err
	}
	if cap(b) <= maxScratch {
		d.scratch = b
	}
	if again {
		return nil, duplicate(name), nil
	}
	return b[:len(b):len(b)], fault{}, nil
}

// maxScratch is the longest string whose buffer is kept.
const maxScratch = 64 << 10

func (d *Decoder) timestamp(s *schema.Sample) (fault, error) {
	if d.json.Next() == jx.String {
		b, bad, err := d.string("ts", d.timed)
		if err != nil || bad.reason != "" {
			return bad, err
		}
		ms, ok := parseTime(b)
		if !ok {
			return fault{BadTime, fmt.Sprintf("ts: %q is no RFC 3339 time", clip(string(b), 40))}, nil
		}
		s.TS, d.timed = ms, true
		return fault{}, nil
	}
	raw, err := d.json.Raw()
	if err != nil || isNull(raw) {
		return fault{}, err
	}
	if d.timed {
		return duplicate("ts"), nil
	}
	if !isNumber(raw) {
		return wrongType("ts", raw, "an RFC 3339 string or epoch milliseconds"), nil
	}
	s.TS, d.timed = parseMillis(raw), true
	return fault{}, nil
}

// check is what only the whole sample can tell.
func (d *Decoder) check(s *schema.Sample) fault {
	switch {
	case s.ServerID == "":
		return fault{MissingServer, "server_id: missing"}
	case d.env.SubjectServer != "" && s.ServerID != d.env.SubjectServer:
		return fault{OtherServer, fmt.Sprintf("server_id: %q, but the subject says %q", s.ServerID, clip(d.env.SubjectServer, 64))}
	case !d.timed:
		return fault{}
	case s.TS > d.env.StoredAt+schema.MaxAhead.Milliseconds():
		return fault{TimeAhead, d.timeDetail(s.TS, "ahead of", schema.MaxAhead)}
	case s.TS < d.env.StoredAt-schema.MaxBehind.Milliseconds():
		return fault{TimeBehind, d.timeDetail(s.TS, "behind", schema.MaxBehind)}
	}
	return fault{}
}

func (d *Decoder) timeDetail(ts int64, where string, limit time.Duration) string {
	return fmt.Sprintf("ts: %s is more than %s %s the time of storing, %s",
		formatMillis(ts), limit, where, formatMillis(d.env.StoredAt))
}
