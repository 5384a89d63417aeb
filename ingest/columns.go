package ingest

import (
	"math"
	"slices"

	"github.com/ClickHouse/ch-go/proto"

	"corrosion/schema"
)

// typed is a column under the type name that the schema gives it.
type typed struct {
	proto.ColInput
	typ proto.ColumnType
}

var _ proto.StateEncoder = typed{}

func (t typed) Type() proto.ColumnType { return t.typ }

// EncodeState passes the state of the columns that have one on.
func (t typed) EncodeState(b *proto.Buffer) {
	if s, ok := t.ColInput.(proto.StateEncoder); ok {
		s.EncodeState(b)
	}
}

// fieldColumn is the column of one field of a sample; only what its kind needs is filled.
type fieldColumn struct {
	kind   schema.Kind
	u32    *proto.ColUInt32
	u64    *proto.ColUInt64
	f64    *proto.ColFloat64
	number *nullable
	text   *words
}

func newFieldColumn(f schema.Field, held *int) fieldColumn {
	c := fieldColumn{kind: f.Info().Kind}
	switch c.kind {
	case schema.Uint32:
		c.u32 = new(proto.ColUInt32)
		c.number = &nullable{ColInput: c.u32}
	case schema.Uint64:
		c.u64 = new(proto.ColUInt64)
		c.number = &nullable{ColInput: c.u64}
	case schema.Float:
		c.f64 = new(proto.ColFloat64)
		c.number = &nullable{ColInput: c.f64}
	default:
		c.text = newWords(true, held)
	}
	return c
}

func (c *fieldColumn) input() proto.ColInput {
	if c.text != nil {
		return c.text
	}
	return c.number
}

// append adds the field's value of s, or NULL where it was not measured.
func (c *fieldColumn) append(f schema.Field, s *schema.Sample) {
	has := s.Has(f)
	if c.text != nil {
		if has {
			c.text.append(s.Text(f))
		} else {
			c.text.appendNull()
		}
		return
	}
	var null uint8 = 1
	var bits uint64
	if has {
		null, bits = 0, s.Uint(f) // the bits of a float are what Uint gives
	}
	c.number.nulls = append(c.number.nulls, null)
	switch c.kind {
	case schema.Uint32:
		*c.u32 = append(*c.u32, uint32(bits))
	case schema.Uint64:
		*c.u64 = append(*c.u64, bits)
	default:
		*c.f64 = append(*c.f64, math.Float64frombits(bits))
	}
}

// room is for that many more rows.
func (c *fieldColumn) room(rows int) {
	switch {
	case c.text != nil:
		c.text.keys = slices.Grow(c.text.keys, rows)
		return
	case c.u32 != nil:
		*c.u32 = slices.Grow(*c.u32, rows)
	case c.u64 != nil:
		*c.u64 = slices.Grow(*c.u64, rows)
	default:
		*c.f64 = slices.Grow(*c.f64, rows)
	}
	c.number.nulls = slices.Grow(c.number.nulls, rows)
}

func (c *fieldColumn) reset() {
	switch {
	case c.text != nil:
		c.text.reset()
		return
	case c.u32 != nil:
		c.u32.Reset()
	case c.u64 != nil:
		c.u64.Reset()
	default:
		c.f64.Reset()
	}
	c.number.nulls.Reset()
}

// nullable is values and the mask of those that are NULL.
type nullable struct {
	nulls proto.ColUInt8
	proto.ColInput
}

func (n *nullable) EncodeColumn(b *proto.Buffer) {
	n.nulls.EncodeColumn(b)
	n.ColInput.EncodeColumn(b)
}

func (n *nullable) WriteColumn(w *proto.Writer) {
	n.nulls.WriteColumn(w)
	n.ColInput.WriteColumn(w)
}

// words is a LowCardinality column of strings: each distinct one once, and a key a row. ch-go's own looks every row up
// at encoding time and cannot hold NULLs; here the key is found when the row is appended.
type words struct {
	nullable bool
	held     *int // grows by what each distinct string takes, bytes
	ids      map[string]uint32
	dict     proto.ColStr
	keys     []uint32
	// last is the word appended before: neighbours are often equal.
	last   string
	lastID uint32

	keys8  proto.ColUInt8 // scratch of EncodeColumn
	keys16 proto.ColUInt16
}

// maxWords is how many distinct strings a batch's dictionary may keep room for over a Reset.
const maxWords = 1 << 17

// wordBytes is what a distinct string takes besides its bytes: its place in the map, which grows by doubling, and in the
// dictionary.
const wordBytes = 96

func newWords(nullable bool, held *int) *words {
	w := &words{nullable: nullable, held: held, ids: map[string]uint32{}}
	w.reset()
	return w
}

// append adds a row. It keeps v itself, which must stay valid.
func (w *words) append(v string) {
	if v == w.last && w.lastID != 0 {
		w.keys = append(w.keys, w.lastID)
		return
	}
	id, known := w.ids[v]
	if !known {
		id = uint32(w.dict.Rows())
		w.dict.Append(v)
		w.ids[v] = id
		*w.held += 2*len(v) + wordBytes
	}
	w.last, w.lastID = v, id
	w.keys = append(w.keys, id)
}

// appendNull adds a row without a value: key 0 of a nullable dictionary.
func (w *words) appendNull() { w.keys = append(w.keys, 0) }

// reset keeps capacities. Key 0 always is the empty string: NULL where the column is nullable, unused where it is not.
func (w *words) reset() {
	if len(w.ids) > maxWords {
		w.ids = map[string]uint32{}
	}
	clear(w.ids)
	w.dict.Reset()
	w.dict.Append("")
	w.keys, w.last, w.lastID = w.keys[:0], "", 0
}

func (w *words) Type() proto.ColumnType { return "LowCardinality(String)" }
func (w *words) Rows() int              { return len(w.keys) }

// EncodeState writes the version of the keys' serialization: a dictionary with additional keys.
func (w *words) EncodeState(b *proto.Buffer) { b.PutInt64(1) }

// The head of a LowCardinality column: which integer the keys are, and that this block brings its own dictionary.
const (
	wordKeys8  = 0
	wordKeys16 = 1
	wordKeys32 = 2

	wordsHaveKeys   = 1 << 9
	wordsUpdateDict = 1 << 10
)

// EncodeColumn writes the dictionary and the keys in the least integer that holds them.
func (w *words) EncodeColumn(b *proto.Buffer) {
	if len(w.keys) == 0 {
		return
	}
	width := int64(wordKeys32)
	switch n := w.dict.Rows(); {
	case n <= math.MaxUint8+1:
		width = wordKeys8
	case n <= math.MaxUint16+1:
		width = wordKeys16
	}
	b.PutInt64(wordsHaveKeys | wordsUpdateDict | width)
	b.PutInt64(int64(w.dict.Rows()))
	w.dict.EncodeColumn(b)
	b.PutInt64(int64(len(w.keys)))
	switch width {
	case wordKeys8:
		w.keys8 = narrow(w.keys8[:0], w.keys)
		w.keys8.EncodeColumn(b)
	case wordKeys16:
		w.keys16 = narrow(w.keys16[:0], w.keys)
		w.keys16.EncodeColumn(b)
	default:
		proto.ColUInt32(w.keys).EncodeColumn(b)
	}
}

func narrow[T uint8 | uint16](dst []T, keys []uint32) []T {
	for _, k := range keys {
		dst = append(dst, T(k))
	}
	return dst
}

// WriteColumn is EncodeColumn for a connection without compression.
func (w *words) WriteColumn(out *proto.Writer) { out.ChainBuffer(w.EncodeColumn) }

// metricsColumn is the Map of custom metrics: all names, all values, and where each row ends.
type metricsColumn struct {
	ends   proto.ColUInt64
	keys   *words
	values proto.ColFloat64
}

func newMetricsColumn(held *int) *metricsColumn { return &metricsColumn{keys: newWords(false, held)} }

func (m *metricsColumn) append(metrics []schema.Metric) {
	for i := range metrics {
		m.keys.append(metrics[i].Name)
		m.values = append(m.values, metrics[i].Value)
	}
	m.ends = append(m.ends, uint64(len(m.values)))
}

func (m *metricsColumn) reset() {
	m.ends.Reset()
	m.keys.reset()
	m.values.Reset()
}

func (m *metricsColumn) Type() proto.ColumnType { return "Map(LowCardinality(String), Float64)" }
func (m *metricsColumn) Rows() int              { return len(m.ends) }

// EncodeState is that of the names.
func (m *metricsColumn) EncodeState(b *proto.Buffer) { m.keys.EncodeState(b) }

// EncodeColumn writes ends, names and values.
func (m *metricsColumn) EncodeColumn(b *proto.Buffer) {
	m.ends.EncodeColumn(b)
	m.keys.EncodeColumn(b)
	m.values.EncodeColumn(b)
}

// WriteColumn is EncodeColumn for a connection without compression.
func (m *metricsColumn) WriteColumn(out *proto.Writer) {
	m.ends.WriteColumn(out)
	m.keys.WriteColumn(out)
	m.values.WriteColumn(out)
}
