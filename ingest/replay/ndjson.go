package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-faster/jx"
)

// maxLine bounds one line of NDJSON, bytes.
const maxLine = 1 << 20

// jsonRows reads NDJSON in the contract's shape.
type jsonRows struct {
	in      *bufio.Reader
	options Options
	columns *columns
	line    int
	buf     []byte
	dec     jx.Decoder

	// The keys of time and server: found in the first object that has them.
	timeKey, serverKey string
}

func newNDJSON(in *bufio.Reader, o Options, c *columns) (*jsonRows, error) {
	if o.Long != "" {
		return nil, errors.New("the long form is one of CSV, and this is NDJSON")
	}
	return &jsonRows{in: in, options: o, columns: c}, nil
}

func (r *jsonRows) next(to *row) error {
	for {
		line, err := r.readLine()
		if err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return r.parse(line, to)
		}
	}
}

// readLine is the next line, valid until the one after. A line that is too long is passed over and costs itself.
func (r *jsonRows) readLine() ([]byte, error) {
	r.line++
	r.buf = r.buf[:0]
	long := false
	for {
		part, err := r.in.ReadSlice('\n')
		if long = long || len(r.buf)+len(part) > maxLine; !long {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(r.buf) == 0 && !long, err != nil && err != io.EOF:
			return nil, err
		case long:
			return nil, &lineError{r.line, fmt.Sprintf("longer than %d bytes", maxLine)}
		default:
			return r.buf, nil
		}
	}
}

func (r *jsonRows) parse(line []byte, to *row) error {
	*to = row{line: r.line, cells: to.cells[:0]}
	if line[0] == '[' {
		return &lineError{r.line, "an array: write one object a line"}
	}
	r.dec.ResetBytes(line)
	err := r.dec.ObjBytes(func(d *jx.Decoder, key []byte) error { return r.value(d, string(key), to) })
	if err == nil && r.dec.Next() != jx.Invalid {
		err = errors.New("more than one value in a line")
	}
	if err != nil {
		return &lineError{r.line, err.Error()}
	}
	r.takeRoles(to)
	return nil
}

// value appends the cells of one key.
func (r *jsonRows) value(d *jx.Decoder, key string, to *row) error {
	c := cell{}
	switch d.Next() {
	case jx.Number:
		n, err := d.Num()
		if err != nil {
			return err
		}
		c.text = string(n)
	case jx.String:
		s, err := d.Str()
		if err != nil {
			return err
		}
		c.text, c.odd = s, true
	case jx.Object:
		if key == "metrics" {
			return d.ObjBytes(func(d *jx.Decoder, name []byte) error { return r.metric(d, string(name), to) })
		}
		return d.Skip()
	case jx.Bool:
		raw, err := d.Raw()
		if err != nil {
			return err
		}
		c.text, c.odd = raw.String(), true
	default: // null is not measured, arrays are nothing of ours
		return d.Skip()
	}
	c.col = r.columns.get(key)
	to.cells = append(to.cells, c)
	return nil
}

// metric appends one cell of the object metrics.
func (r *jsonRows) metric(d *jx.Decoder, name string, to *row) error {
	if d.Next() == jx.Null {
		return d.Skip()
	}
	c := cell{col: r.columns.explicit(name)}
	switch d.Next() {
	case jx.Number:
		n, err := d.Num()
		if err != nil {
			return err
		}
		c.text = string(n)
	default:
		raw, err := d.Raw()
		if err != nil {
			return err
		}
		c.text, c.odd = raw.String(), true
	}
	to.cells = append(to.cells, c)
	return nil
}

// takeRoles moves time and server from the cells to their places.
func (r *jsonRows) takeRoles(to *row) {
	take := func(known *string, names []string) string {
		if *known == "" {
			*known = r.find(to, names)
		}
		for i, c := range to.cells {
			if *known != "" && c.col.name == *known {
				to.cells = append(to.cells[:i], to.cells[i+1:]...)
				return c.text
			}
		}
		return ""
	}
	to.time = take(&r.timeKey, r.options.timeNames())
	if names := r.options.serverNames(); names != nil {
		to.server = take(&r.serverKey, names)
	}
}

func (r *jsonRows) find(to *row, names []string) string {
	keys := make([]string, len(to.cells))
	for i, c := range to.cells {
		keys[i] = c.col.name
	}
	if i := firstNamed(keys, names...); i >= 0 {
		return keys[i]
	}
	return ""
}
