package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"corrosion/api/query"
)

var errMediaType = errors.New("not JSON")

// body reads the JSON object of one request, field by field, into the faults of its inputs. A field that is left out and
// one that is null are told apart where that matters: has and isNull.
type body struct {
	in     *inputs
	fields map[string]json.RawMessage
}

// readBody takes the body apart; known are the fields that it may have. Faults of the body as a whole are errors.
func readBody(c *fiber.Ctx, in *inputs, known ...string) (*body, error) {
	if kind, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType)); err != nil || kind != fiber.MIMEApplicationJSON {
		return nil, errMediaType
	}
	b := &body{in: in, fields: map[string]json.RawMessage{}}
	if err := b.read(c.Body()); err != nil {
		in.add(query.Fault{Location: "body", Message: err.Error()})
		return nil, in.err()
	}
	allowed := map[string]bool{}
	for _, name := range known {
		allowed[name] = true
	}
	for name := range b.fields {
		if !allowed[name] {
			b.fault(clip(name), "is not a field of this request", nil)
		}
	}
	return b, nil
}

// read splits an object into its fields; one given twice is a fault.
func (b *body) read(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("is not UTF-8")
	}
	if !json.Valid(text) {
		return errors.New("is not valid JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return errors.New("must be a JSON object")
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return errors.New("is not valid JSON")
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil && !errors.Is(err, io.EOF) {
			return errors.New("is not valid JSON")
		}
		if b.has(name) {
			b.fault(clip(name), "is given twice", nil)
		}
		b.fields[name] = value
	}
	return nil
}

func (b *body) fault(field, message string, value any) {
	b.in.add(query.Fault{Location: "body." + field, Message: message, Value: value})
}

// clip bounds what is echoed of a request.
func clip(text string) string {
	if len(text) <= 80 {
		return text
	}
	return strings.ToValidUTF8(text[:80], "") + "…"
}

func (b *body) has(name string) bool { _, given := b.fields[name]; return given }

func (b *body) isNull(name string) bool { return string(b.fields[name]) == "null" }

// text is a string of at most most characters without control characters; absent and null are "". long allows lines.
func (b *body) text(name string, most int, long bool) string {
	var text string
	if !b.decode(name, &text, "a string") {
		return ""
	}
	switch {
	case utf8.RuneCountInString(text) > most:
		b.fault(name, fmt.Sprintf("has %d characters; at most %d are allowed", utf8.RuneCountInString(text), most), clip(text))
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && (!long || !strings.ContainsRune("\n\r\t", r)) }):
		b.fault(name, "has control characters", clip(text))
	}
	return text
}

// decode reads a field that is given and not null; a value of another kind is a fault.
func (b *body) decode(name string, into any, want string) bool {
	if !b.has(name) || b.isNull(name) {
		return false
	}
	if err := json.Unmarshal(b.fields[name], into); err != nil {
		b.fault(name, "must be "+want, json.RawMessage(shorten(b.fields[name])))
		return false
	}
	return true
}

// shorten leaves long values out of answers.
func shorten(raw json.RawMessage) []byte {
	if len(raw) <= 200 {
		return raw
	}
	return []byte(`"(long)"`)
}
