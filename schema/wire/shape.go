package wire

import (
	"bytes"

	"corrosion/schema"
)

type shape int

const (
	object shape = iota
	array
	lines
)

// trimText cuts what JSON does not count: a byte order mark and space around the text.
func trimText(text []byte) []byte { return trimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))) }

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// shape tells by the first byte and by what follows the first line which of the three shapes a trimmed text has.
func (d *Decoder) shape(text []byte) shape {
	if text[0] == '[' {
		return array
	}
	first, rest, found := bytes.Cut(text, []byte{'\n'})
	if !found {
		return object
	}
	if text[0] != '{' || d.whole(first) {
		return lines
	}
	// The first line is no value by itself: one object over several lines, or a broken line among whole ones.
	if d.whole(text) || !d.hasWholeLine(rest) {
		return object
	}
	return lines
}

// whole tells whether text is one JSON value and nothing else.
func (d *Decoder) whole(text []byte) bool {
	d.json.ResetBytes(text)
	return d.json.Validate() == nil
}

// hasWholeLine tells whether a line of text is an object by itself.
func (d *Decoder) hasWholeLine(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = trimSpace(line); len(line) > 0 && line[0] == '{' && d.whole(line) {
			return true
		}
	}
	return false
}

// lines delivers newline-delimited values, each by itself.
func (d *Decoder) lines(text []byte, out sink) fault {
	if tooManyLines(text) {
		return tooManySamples()
	}
	n := 0
	for len(text) > 0 {
		var line []byte
		if line, text = cutLine(text); len(line) > 0 {
			d.line(line, n, out)
			n++
		}
	}
	return fault{}
}

func cutLine(text []byte) (line, rest []byte) {
	end := bytes.IndexByte(text, '\n')
	if end < 0 {
		return trimSpace(text), nil
	}
	return trimSpace(text[:end]), text[end+1:]
}

// tooManyLines counts lines that are not blank, and only where there are enough of all lines.
func tooManyLines(text []byte) bool {
	if bytes.Count(text, []byte{'\n'}) < schema.MaxMessageSamples {
		return false
	}
	n := 0
	for len(text) > 0 && n <= schema.MaxMessageSamples {
		var line []byte
		if line, text = cutLine(text); len(line) > 0 {
			n++
		}
	}
	return n > schema.MaxMessageSamples
}
