package replay

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"corrosion/schema"
)

// target is where the values of a column go.
type target struct {
	field  schema.Field
	metric *slot // nil = field
	factor float64
	round  bool
	// explicit says that the source calls it a metric, which wins over an unknown field of the same name.
	explicit bool
}

// slot is a metric's name, and where its value stands in the row at hand.
type slot struct {
	name     string
	row      uint64 // the sample that it was set in last
	index    int
	explicit bool // by an explicit target
}

// columnKind is what a column turned out to hold.
type columnKind uint8

const (
	undecided columnKind = iota // unmapped, not a value yet
	number
	text       // unmapped and not numbers: ignored
	skipped    // left out on request
	metricsMap // a JSON object of metrics
)

// column is a CSV column or a JSON key, with what it becomes.
type column struct {
	name    string
	kind    columnKind
	known   bool // mapped, a field or explicitly a metric: a text in it is a fault
	targets []target
	ignored uint64 // cells left out because the column is text
	row     uint64 // long form: the sample that holds a value of it
}

// columns are all columns by name. Files share it, so that one name means one thing.
type columns struct {
	maps   map[string][]mapping
	ignore []string
	byName map[string]*column
	slots  map[string]*slot
	report *Report
}

func newColumns(o Options, r *Report) (*columns, error) {
	maps, err := parseMaps(o.Maps)
	if err != nil {
		return nil, err
	}
	return &columns{maps: maps, ignore: o.Ignore, byName: map[string]*column{}, slots: map[string]*slot{}, report: r}, nil
}

// maxColumns bounds the names that are remembered: a file with a name a row must not eat the memory.
const maxColumns = 100_000

// get is the column of that name.
func (c *columns) get(name string) *column {
	if col, ok := c.byName[name]; ok {
		return col
	}
	if len(c.byName) >= maxColumns {
		clear(c.byName)
		clear(c.slots)
	}
	name = strings.Clone(name)
	col := c.make(name)
	c.byName[name] = col
	return col
}

func (c *columns) make(name string) *column {
	if slices.Contains(c.ignore, name) {
		return &column{name: name, kind: skipped}
	}
	if maps := c.maps[name]; maps != nil {
		col := &column{name: name, kind: number, known: true}
		for _, m := range maps {
			t := target{field: m.field, factor: m.factor, round: m.round}
			if m.metric != "" {
				t.metric = c.slot(m.metric)
			}
			col.targets = append(col.targets, t)
		}
		return col
	}
	if name == "metrics" {
		return &column{name: name, kind: metricsMap}
	}
	if f, ok := schema.FieldByName(strings.ToLower(name)); ok {
		return &column{name: name, kind: number, known: true, targets: []target{{field: f, factor: 1}}}
	}
	plain, explicit := strings.CutPrefix(name, "metrics.")
	clean := cleanMetricName(plain)
	if clean != plain {
		c.report.renamedMetric(name, clean)
	}
	return &column{name: name, targets: []target{{metric: c.slot(clean), factor: 1, explicit: explicit}}}
}

func (c *columns) slot(name string) *slot {
	s := c.slots[name]
	if s == nil {
		s = &slot{name: name}
		c.slots[name] = s
	}
	return s
}

// mapping is one parsed --map.
type mapping struct {
	field  schema.Field
	metric string
	factor float64
	round  bool
}

func parseMaps(specs []string) (map[string][]mapping, error) {
	maps := map[string][]mapping{}
	var faults []error
	for _, spec := range specs {
		source, m, err := parseMap(spec)
		if err != nil {
			faults = append(faults, fmt.Errorf("map %q: %w", spec, err))
			continue
		}
		maps[source] = append(maps[source], m)
	}
	return maps, errors.Join(faults...)
}

// parseMap reads source=target[*factor][|round]. The source may hold a '='; a target cannot.
func parseMap(spec string) (string, mapping, error) {
	at := strings.LastIndexByte(spec, '=')
	if at < 1 {
		return "", mapping{}, errors.New("must be source=target[*factor][|round]")
	}
	m := mapping{factor: 1}
	name, modifier, _ := strings.Cut(spec[at+1:], "|")
	if modifier != "" && modifier != "round" {
		return "", mapping{}, fmt.Errorf("unknown modifier %q: there is only round", modifier)
	}
	m.round = modifier == "round"
	name, factor, scaled := strings.Cut(name, "*")
	if scaled {
		var err error
		if m.factor, err = strconv.ParseFloat(factor, 64); err != nil || m.factor == 0 || m.factor-m.factor != 0 {
			return "", mapping{}, fmt.Errorf("factor %q is not a number other than 0", factor)
		}
	}
	if metric, ok := strings.CutPrefix(name, "metrics."); ok {
		if !schema.ValidMetricName(metric) {
			return "", mapping{}, fmt.Errorf("metric name %q: must be 1 to 96 of A-Z a-z 0-9 _ . : / -", metric)
		}
		m.metric = metric
		return spec[:at], m, nil
	}
	var ok bool
	if m.field, ok = schema.FieldByName(name); !ok {
		return "", mapping{}, fmt.Errorf("target %q is no field of a sample; metrics.%s would be a metric", name, name)
	}
	if m.field.Info().Kind == schema.Text && (scaled || m.round) {
		return "", mapping{}, fmt.Errorf("%s is a text", name)
	}
	return spec[:at], m, nil
}
