package replay

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-faster/jx"
)

const (
	// peekRows are read ahead to tell columns of numbers from columns of text.
	peekRows = 256
	// maxRecord bounds one CSV record, bytes: a quote that is never closed must not take the rest of the file into memory.
	maxRecord = 4 << 20
)

// csvRows reads wide or long CSV.
type csvRows struct {
	in      *csv.Reader
	limit   *recordLimit
	columns *columns
	header  []string
	peeked  [][]string
	lines   []int // of peeked

	timeAt, serverAt  int // serverAt < 0: none
	metricAt, valueAt int // metricAt < 0: wide
	cols              []*column
}

// recordLimit fails once a record is longer than maxRecord.
type recordLimit struct {
	r    io.Reader
	left int
}

func (l *recordLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("record longer than %d bytes: a quote that is not closed?", maxRecord)
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}

// newCSV reads the header and some rows ahead.
func newCSV(in *bufio.Reader, o Options, c *columns) (*csvRows, error) {
	limit := &recordLimit{r: in, left: maxRecord}
	r := &csvRows{in: csv.NewReader(limit), limit: limit, columns: c, serverAt: -1, metricAt: -1}
	r.in.Comma = delimiter(in)
	r.in.ReuseRecord = true
	header, err := r.in.Read()
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	for _, name := range header {
		r.header = append(r.header, strings.Clone(strings.TrimSpace(name)))
	}
	if err := r.place(o); err != nil {
		return nil, err
	}
	return r, r.peek()
}

// delimiter is the likely one of the header line.
func delimiter(in *bufio.Reader) rune {
	line, _ := in.Peek(4096)
	if end := slices.Index(line, '\n'); end >= 0 {
		line = line[:end]
	}
	best, most := ',', 0
	for _, d := range ",;\t|" {
		if n := strings.Count(string(line), string(d)); n > most {
			best, most = d, n
		}
	}
	return best
}

// place finds the columns that have a role.
func (r *csvRows) place(o Options) error {
	if r.timeAt = firstNamed(r.header, o.timeNames()...); r.timeAt < 0 {
		return fmt.Errorf("no time column %s in the header: %s", strings.Join(o.timeNames(), ", "), clip(r.header))
	}
	if names := o.serverNames(); names != nil {
		if r.serverAt = firstNamed(r.header, names...); r.serverAt < 0 {
			return fmt.Errorf("no server column %s in the header and no server id given: %s", strings.Join(names, ", "), clip(r.header))
		}
	}
	if o.Long != "" {
		metric, value, err := o.long()
		if err != nil {
			return err
		}
		r.metricAt, r.valueAt = firstNamed(r.header, metric), firstNamed(r.header, value)
		if r.metricAt < 0 || r.valueAt < 0 {
			return fmt.Errorf("no columns %s and %s in the header: %s", metric, value, clip(r.header))
		}
	}
	seen := map[string]int{}
	for i, name := range r.header {
		if name == "" {
			name = "column_" + strconv.Itoa(i+1)
		}
		if seen[name]++; seen[name] > 1 {
			name += "_" + strconv.Itoa(seen[name])
		}
		r.cols = append(r.cols, r.columnAt(i, name))
	}
	return nil
}

// columnAt is the column of place i; nil where it holds no measurement.
func (r *csvRows) columnAt(i int, name string) *column {
	switch {
	case i == r.timeAt, i == r.serverAt, r.metricAt >= 0 && (i == r.metricAt || i == r.valueAt):
		return nil
	case r.metricAt >= 0:
		return &column{name: name, kind: skipped}
	}
	return r.columns.get(name)
}

func clip(header []string) string {
	s := strings.Join(header, ",")
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

// peek reads some rows ahead and decides which unmapped columns are text: those with more texts than numbers.
func (r *csvRows) peek() error {
	texts, numbers := make([]int, len(r.cols)), make([]int, len(r.cols))
	for len(r.peeked) < peekRows {
		record, line, err := r.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if bad := (*lineError)(nil); errors.As(err, &bad) {
			r.peeked, r.lines = append(r.peeked, nil), append(r.lines, bad.line)
			continue
		}
		if err != nil {
			return err
		}
		r.peeked, r.lines = append(r.peeked, slices.Clone(record)), append(r.lines, line)
		for i, value := range record {
			switch {
			case isEmpty(value):
			case isNumber(value):
				numbers[i]++
			default:
				texts[i]++
			}
		}
	}
	for i, col := range r.cols {
		if col != nil && col.kind == undecided && texts[i]+numbers[i] > 0 {
			col.decide(numbers[i] >= texts[i])
		}
	}
	return nil
}

func (c *column) decide(isNumber bool) {
	c.kind = text
	if isNumber {
		c.kind = number
	}
}

// read is the next record of the file, with its line.
func (r *csvRows) read() ([]string, int, error) {
	r.limit.left = maxRecord
	record, err := r.in.Read()
	if parse := (*csv.ParseError)(nil); errors.As(err, &parse) && r.limit.left > 0 {
		return nil, 0, &lineError{parse.StartLine, parse.Err.Error()}
	}
	if err != nil {
		return nil, 0, err
	}
	line, _ := r.in.FieldPos(0)
	return record, line, nil
}

func (r *csvRows) next(to *row) error {
	record, line, err := r.nextRecord()
	if err != nil {
		return err
	}
	*to = row{line: line, time: record[r.timeAt], cells: to.cells[:0], long: r.metricAt >= 0}
	if r.serverAt >= 0 {
		to.server = record[r.serverAt]
	}
	if to.long {
		if name := strings.TrimSpace(record[r.metricAt]); name != "" {
			col := r.columns.get(name)
			if col.kind == undecided {
				col.kind = number
			}
			to.cells = append(to.cells, cell{col: col, text: record[r.valueAt]})
		}
		return nil
	}
	for i, value := range record {
		if col := r.cols[i]; col != nil && !isEmpty(value) {
			to.cells = append(to.cells, cell{col: col, text: value})
		}
	}
	return nil
}

func (r *csvRows) nextRecord() ([]string, int, error) {
	if len(r.peeked) == 0 {
		return r.read()
	}
	record, line := r.peeked[0], r.lines[0]
	r.peeked, r.lines = r.peeked[1:], r.lines[1:]
	if record == nil {
		return nil, 0, &lineError{line, "not a record with the header's columns"}
	}
	return record, line, nil
}

// isEmpty tells whether a cell holds no value: nothing, or how databases and tools spell it.
func isEmpty(s string) bool {
	switch s {
	case "", "null", "NULL", `\N`, "NA", "N/A", "None":
		return true
	}
	return strings.TrimSpace(s) == ""
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// metricsOf calls each for the numbers of a JSON object, as our exports hold it in the column metrics.
func metricsOf(object string, each func(name, number string)) error {
	return jx.DecodeStr(object).ObjBytes(func(d *jx.Decoder, key []byte) error {
		name := string(key)
		n, err := d.Num()
		if err != nil {
			return err
		}
		each(name, string(n))
		return nil
	})
}
