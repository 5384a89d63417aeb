package replay

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"corrosion/schema"
)

// builder makes samples of rows and counts what it must leave out.
type builder struct {
	columns *columns
	report  *Report
	emit    func(*schema.Sample) error
	row     uint64 // the number of the sample at hand
	sample  schema.Sample
	pending map[string]*longSample // of the long form, by server
}

// longSample is a sample whose next row may still come.
type longSample struct {
	row    uint64
	sample schema.Sample
}

// maxPending bounds the servers whose samples are open at the same time.
const maxPending = 10_000

func newBuilder(c *columns, r *Report, emit func(*schema.Sample) error) *builder {
	return &builder{columns: c, report: r, emit: emit, pending: map[string]*longSample{}}
}

// wide makes one sample of one row.
func (b *builder) wide(file string, in *row, server string, ts int64) error {
	b.row++
	s := &b.sample
	s.Reset()
	s.ServerID, s.TS = server, ts
	for i := range in.cells {
		b.cell(file, in, &in.cells[i], s, b.row)
	}
	if !measured(s) {
		b.report.reject(NoValues, file, in.line, "nothing measured")
		return nil
	}
	return b.send(s)
}

// long adds one row to the sample of its server and time.
func (b *builder) long(file string, in *row, server string, ts int64) error {
	if len(in.cells) == 0 {
		b.report.reject(OddName, file, in.line, "empty metric name")
		return nil
	}
	c := &in.cells[0]
	if isEmpty(c.text) {
		b.report.reject(NoValues, file, in.line, c.col.name+" is empty")
		return nil
	}
	p := b.pending[server]
	if p == nil {
		if len(b.pending) >= maxPending {
			if err := b.flush(); err != nil {
				return err
			}
		}
		p = &longSample{}
		b.pending[server] = p
	}
	// The same metric twice at the same time is two samples.
	if p.row == 0 || p.sample.TS != ts || c.col.row == p.row {
		if err := b.sendLong(p); err != nil {
			return err
		}
		b.row++
		p.row = b.row
		p.sample.Reset()
		p.sample.ServerID, p.sample.TS = server, ts
	}
	c.col.row = p.row
	b.cell(file, in, c, &p.sample, p.row)
	return nil
}

func (b *builder) sendLong(p *longSample) error {
	if p.row == 0 || !measured(&p.sample) {
		return nil
	}
	p.row = 0
	return b.send(&p.sample)
}

// flush sends what is open, in order of time.
func (b *builder) flush() error {
	open := make([]*longSample, 0, len(b.pending))
	for _, p := range b.pending {
		open = append(open, p)
	}
	clear(b.pending)
	slices.SortFunc(open, func(x, y *longSample) int {
		return cmp.Or(cmp.Compare(x.sample.TS, y.sample.TS), strings.Compare(x.sample.ServerID, y.sample.ServerID))
	})
	for _, p := range open {
		if err := b.sendLong(p); err != nil {
			return err
		}
	}
	return nil
}

// measured tells whether s says more than who sent it.
func measured(s *schema.Sample) bool {
	if len(s.Metrics) > 0 {
		return true
	}
	for f := schema.Players; f < schema.NumFields; f++ {
		if s.Has(f) {
			return true
		}
	}
	return false
}

// send emits s, in parts where it has more metrics than a sample may have.
func (b *builder) send(s *schema.Sample) error {
	if len(s.Metrics) <= schema.MaxMetrics {
		return b.emit(s)
	}
	all := s.Metrics
	defer func() { s.Metrics = all[:0] }()
	s.Metrics = all[:schema.MaxMetrics]
	if err := b.emit(s); err != nil {
		return err
	}
	for rest := all[schema.MaxMetrics:]; len(rest) > 0; {
		n := min(len(rest), schema.MaxMetrics)
		part := schema.Sample{ServerID: s.ServerID, TS: s.TS, Metrics: rest[:n]}
		rest = rest[n:]
		b.report.Split++
		if err := b.emit(&part); err != nil {
			return err
		}
	}
	return nil
}

// cell puts one value where its column goes.
func (b *builder) cell(file string, in *row, c *cell, s *schema.Sample, rowNumber uint64) {
	col := c.col
	if c.odd && !col.known && col.kind != skipped && col.kind != metricsMap {
		col.ignored++
		return
	}
	if col.kind == undecided {
		col.decide(isNumber(c.text))
	}
	switch col.kind {
	case skipped:
		return
	case text:
		col.ignored++
		return
	case metricsMap:
		b.metrics(file, in, c, s, rowNumber)
		return
	}
	for i := range col.targets {
		t := &col.targets[i]
		if reason := t.set(s, c, rowNumber); reason != "" {
			b.report.reject(reason, file, in.line, col.name+" = "+c.text)
		}
	}
}

func (b *builder) metrics(file string, in *row, c *cell, s *schema.Sample, rowNumber uint64) {
	if c.odd || !strings.HasPrefix(strings.TrimSpace(c.text), "{") {
		b.report.reject(BadNumber, file, in.line, "metrics = "+c.text+": not a JSON object")
		return
	}
	err := metricsOf(c.text, func(name, value string) {
		b.cell(file, in, &cell{col: b.columns.explicit(name), text: value}, s, rowNumber)
	})
	if err != nil {
		b.report.reject(BadNumber, file, in.line, "metrics: "+err.Error())
	}
}

// explicit is the column of a name in an object metrics: it is a metric whatever it is called.
func (c *columns) explicit(name string) *column {
	col := c.get("metrics." + name)
	if col.kind == undecided || col.kind == text {
		col.kind, col.known = number, true
	}
	return col
}

// set records the value of c; the reason says why not.
func (t *target) set(s *schema.Sample, c *cell, rowNumber uint64) Reason {
	if t.metric == nil && t.field.Info().Kind == schema.Text {
		return t.setText(s, c)
	}
	if c.odd {
		return BadNumber
	}
	value := strings.TrimSpace(c.text)
	if t.metric == nil && t.factor == 1 && t.field.Info().Kind != schema.Float {
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			return t.setUint(s, n)
		}
	}
	v, err := strconv.ParseFloat(value, 64)
	v *= t.factor
	switch {
	case math.IsNaN(v), math.IsInf(v, 0):
		return NotFinite
	case err != nil:
		return BadNumber
	}
	if t.round {
		v = math.Round(v)
	}
	return t.setNumber(s, v, rowNumber)
}

func (t *target) setNumber(s *schema.Sample, v float64, rowNumber uint64) Reason {
	switch {
	case t.metric != nil:
		t.metric.set(s, v, rowNumber, t.explicit)
		return ""
	case v < 0:
		return Negative
	case t.field.Info().Kind == schema.Float:
		s.SetFloat(t.field, v+0) // -0 becomes 0
		return ""
	case v != math.Trunc(v):
		return Fraction
	case v >= 1<<64:
		return OutOfRange
	}
	return t.setUint(s, uint64(v))
}

func (t *target) setUint(s *schema.Sample, n uint64) Reason {
	if t.field.Info().Kind == schema.Uint32 && n > math.MaxUint32 {
		return OutOfRange
	}
	s.SetUint(t.field, n)
	return ""
}

func (t *target) setText(s *schema.Sample, c *cell) Reason {
	value := strings.ToValidUTF8(c.text, "?")
	if len(value) > schema.MaxTextLen {
		return TextLength
	}
	s.SetText(t.field, strings.Clone(value))
	return ""
}

// set puts v into s. Of two columns of one name the explicit metric wins, else the later.
func (m *slot) set(s *schema.Sample, v float64, rowNumber uint64, explicit bool) {
	if m.row == rowNumber {
		if explicit || !m.explicit {
			s.Metrics[m.index].Value, m.explicit = v, explicit
		}
		return
	}
	m.row, m.index, m.explicit = rowNumber, len(s.Metrics), explicit
	s.Metrics = append(s.Metrics, schema.Metric{Name: m.name, Value: v})
}
