package wire

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-faster/jx"

	"corrosion/schema"
)

// Reasons that marks have beside those of samples.
const (
	// TooManyEvents is more than schema.MaxMessageEvents marks in one message.
	TooManyEvents Reason = "too-many-events"
	// BadKind is a kind that is missing or unknown.
	BadKind Reason = "bad-kind"
	// BadTitle is a title that is missing, blank or of more than schema.MaxEventTitle characters.
	BadTitle Reason = "bad-title"
	// BadData is data that is no JSON object, or is larger or deeper than it may be.
	BadData Reason = "bad-data"
)

// EventReasons are the reasons why marks are refused.
func EventReasons() []Reason {
	return []Reason{
		BadEncoding, TooLarge, TooManyEvents, Empty, Malformed, NotObject, BadUTF8, Duplicate, BadServer, WrongType,
		BadTime, TimeAhead, TimeBehind, TextTooLong, BadKind, BadTitle, BadData,
	}
}

// DecodeEvents reads one message of marks, in the shapes of samples: an object, an array or lines. A bad mark never stops
// its neighbours; a broken array costs the message, and so does what holds too many. The Event and the Reject's bytes
// are valid until their callback returns. Marks are rare: unlike Decode it allocates.
func (d *Decoder) DecodeEvents(env Envelope, contentEncoding string, body []byte, good func(*schema.Event), bad func(Reject)) Stats {
	var stats Stats
	d.env = env
	reject := func(f fault, index int, bytes []byte) {
		stats.Rejected++
		bad(Reject{Reason: f.reason, Detail: f.detail, Bytes: bytes, Index: index})
	}
	values, f := d.eventValues(contentEncoding, body)
	if f.reason != "" {
		reject(f, -1, body)
		return stats
	}
	for i, value := range values {
		event, ignored, f := d.event(value, i)
		if f.reason != "" {
			reject(f, i, value)
			continue
		}
		stats.Samples++
		stats.IgnoredFields += ignored
		good(event)
	}
	return stats
}

// eventValues are the JSON texts of a message, one a mark.
func (d *Decoder) eventValues(contentEncoding string, body []byte) ([][]byte, fault) {
	text, f := d.inflater.inflate(contentEncoding, body)
	if f.reason != "" {
		return nil, f
	}
	if text = trimText(text); len(text) == 0 {
		return nil, fault{Empty, "message holds nothing"}
	}
	switch d.shape(text) {
	case array:
		return d.elements(text)
	case lines:
		return lineValues(text)
	default:
		return [][]byte{text}, fault{}
	}
}

func lineValues(text []byte) (values [][]byte, f fault) {
	for len(text) > 0 {
		var line []byte
		if line, text = cutLine(text); len(line) > 0 {
			values = append(values, line)
		}
		if len(values) > schema.MaxMessageEvents {
			return nil, tooManyEvents()
		}
	}
	return values, fault{}
}

// elements are those of an array, once its end was seen.
func (d *Decoder) elements(text []byte) (values [][]byte, f fault) {
	d.json.ResetBytes(text)
	iter, err := d.json.ArrIter()
	if err != nil {
		return nil, malformed(err)
	}
	for iter.Next() {
		raw, err := d.json.Raw()
		if err != nil {
			return nil, malformed(fmt.Errorf("mark %d: %w", len(values), err))
		}
		if values = append(values, trimSpace(raw)); len(values) > schema.MaxMessageEvents {
			return nil, tooManyEvents()
		}
	}
	if err := iter.Err(); err != nil {
		return nil, malformed(err)
	}
	return values, d.trailing()
}

func tooManyEvents() fault {
	return fault{TooManyEvents, fmt.Sprintf("more than %d marks in one message", schema.MaxMessageEvents)}
}

// event reads one mark.
func (d *Decoder) event(text []byte, index int) (e *schema.Event, ignored int, f fault) {
	if !utf8.Valid(text) {
		return nil, 0, badUTF8()
	}
	d.json.ResetBytes(text)
	if d.json.Next() != jx.Object {
		if d.whole(text) {
			return nil, 0, fault{NotObject, "a mark must be a JSON object"}
		}
		return nil, 0, fault{Malformed, "broken JSON"}
	}
	e = &schema.Event{
		License: d.env.License, ID: schema.EventIDFromStream(d.env.Epoch, d.env.Seq, index), TS: d.env.StoredAt, ReceivedAt: d.env.StoredAt,
		Source: schema.FromNATS, Epoch: d.env.Epoch, Seq: d.env.Seq, Idx: uint16(index), Version: schema.EventCreated,
	}
	ignored, f = d.eventFields(e)
	if f.reason == "" {
		f = d.trailing()
	}
	if f.reason == "" {
		f = d.checkEvent(e)
	}
	return e, ignored, f
}

// eventFields reads an object's fields; null is the same as absent, and a field given twice with a value is refused.
func (d *Decoder) eventFields(e *schema.Event) (ignored int, f fault) {
	object, err := d.json.ObjIter()
	if err != nil {
		return 0, malformed(err)
	}
	seen := map[string]bool{}
	for object.Next() {
		name := string(object.Key())
		raw, err := d.json.Raw()
		if err != nil {
			return 0, malformed(err)
		}
		if isNull(raw) || f.reason != "" {
			continue
		}
		if seen[name] {
			f = duplicate(clip(name, 64))
			continue
		}
		seen[name] = true
		var known bool
		if known, f = eventField(e, name, raw); !known {
			ignored++
		}
	}
	if err := object.Err(); err != nil {
		return 0, malformed(err)
	}
	return ignored, f
}

// eventField sets one field; known is false where a mark has no such field.
func eventField(e *schema.Event, name string, raw []byte) (known bool, f fault) {
	switch name {
	case "ts":
		return true, eventTime(e, raw)
	case "data":
		var reason string
		if e.Data, reason = CompactObject(raw); reason != "" {
			return true, fault{BadData, "data: " + reason}
		}
		return true, fault{}
	case "server_id", "kind", "title", "text":
	default:
		return false, fault{}
	}
	value, err := jx.DecodeBytes(raw).Str()
	if err != nil {
		return true, wrongType(name, raw, "a string")
	}
	switch name {
	case "server_id":
		e.ServerID = value
		if value != "" && !schema.ValidServerID(value) {
			return true, fault{BadServer, fmt.Sprintf("server_id: %q is not [A-Za-z0-9_-]{1,%d} or is a reserved word", clip(value, 64), schema.MaxServerIDLen)}
		}
	case "kind":
		e.Kind = schema.EventKind(value)
	case "title":
		e.Title = strings.TrimSpace(value)
	case "text":
		e.Text = value
	}
	return true, fault{}
}

func eventTime(e *schema.Event, raw []byte) fault {
	if isNumber(raw) {
		e.TS = parseMillis(raw)
		return fault{}
	}
	text, err := jx.DecodeBytes(raw).Str()
	if err != nil {
		return wrongType("ts", raw, "an RFC 3339 string or epoch milliseconds")
	}
	ms, ok := parseTime([]byte(text))
	if !ok {
		return fault{BadTime, fmt.Sprintf("ts: %q is no RFC 3339 time", clip(text, 40))}
	}
	e.TS = ms
	return fault{}
}

// checkEvent is what only the whole mark can tell.
func (d *Decoder) checkEvent(e *schema.Event) fault {
	switch {
	case !e.Kind.Valid():
		return fault{BadKind, fmt.Sprintf("kind: %q, want one of %s", clip(string(e.Kind), 40), kindList())}
	case e.Title == "":
		return fault{BadTitle, "title: missing or blank"}
	case utf8.RuneCountInString(e.Title) > schema.MaxEventTitle:
		return fault{BadTitle, fmt.Sprintf("title: %d characters, at most %d", utf8.RuneCountInString(e.Title), schema.MaxEventTitle)}
	case len(e.Text) > schema.MaxEventText:
		return fault{TextTooLong, fmt.Sprintf("text: %d bytes, at most %d", len(e.Text), schema.MaxEventText)}
	case e.TS > d.env.StoredAt+schema.MaxAhead.Milliseconds():
		return fault{TimeAhead, d.timeDetail(e.TS, "ahead of", schema.MaxAhead)}
	case e.TS < d.env.StoredAt-schema.MaxBehind.Milliseconds():
		return fault{TimeBehind, d.timeDetail(e.TS, "behind", schema.MaxBehind)}
	}
	return fault{}
}

func kindList() string {
	var names []string
	for _, kind := range schema.EventKinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

// CompactObject gives a JSON object without white space; reason says why raw may not be a mark's data.
func CompactObject(raw []byte) (compact, reason string) {
	if !utf8.Valid(raw) || jx.DecodeBytes(raw).Validate() != nil {
		return "", "broken JSON"
	}
	if raw = trimSpace(raw); raw[0] != '{' {
		return "", "must be an object"
	}
	out, depth, deepest := make([]byte, 0, len(raw)), 0, 0
	for i, inString := 0, false; i < len(raw); i++ {
		c := raw[i]
		switch {
		case inString && c == '\\':
			out = append(out, c)
			i++
			c = raw[i]
		case c == '"':
			inString = !inString
		case inString:
		case isSpace(c):
			continue
		case c == '{', c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}', c == ']':
			depth--
		}
		out = append(out, c)
	}
	switch {
	case deepest > schema.MaxEventDepth:
		return "", "more than " + strconv.Itoa(schema.MaxEventDepth) + " levels deep"
	case len(out) > schema.MaxEventData:
		return "", strconv.Itoa(len(out)) + " bytes, at most " + strconv.Itoa(schema.MaxEventData)
	}
	return string(out), ""
}
