package query

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"corrosion/schema"
)

// templates compose every statement out of the files beside them. What changes with a request is a named parameter, never text;
// names of columns come from schema alone.
var templates = template.Must(template.ParseFS(sqlFiles, "sql/*.sql"))

//go:embed sql/*.sql
var sqlFiles embed.FS

// statement is a text with its named parameters, ready to run.
type statement struct {
	name string
	text string
	args []any
}

// column is one metric of a statement; its result stands in v<Index>.
type column struct {
	Index int
	// Name is the field's column; custom metrics have none.
	Name string
	// Value is the raw value, NULL where it was not measured.
	Value string
	// Param holds a custom metric's name.
	Param string
}

// composition is what the templates see.
type composition struct {
	Agg     Agg
	Columns []column
	// Grouped splits by server, Chosen keeps the chosen servers, Mixed joins raw to hours, Sketched trades exactness of
	// percentiles over very many samples for memory.
	Grouped, Chosen, Mixed, Sketched bool
	// Archived leaves the archived servers out of counts; Expected knows how far apart some servers' samples are meant to be.
	Archived, Expected bool
	// Even, Minutes and Short say how the buckets lie: all as wide as the step; on whole minutes; under a minute wide.
	Even, Minutes, Short bool
	// Hours and Recent say which parts there are: hours before the cut, minutes and raw after it.
	Hours, Recent bool
	// Head says that the range begins on a whole minute within an hour, Raw that raw samples are still there.
	Head, Raw bool
	// Tail says that the range ends within an hour, Days that servers' days are read.
	Tail, Days bool
	// coverage says what the license's own rollups may answer.
	coverage
}

// columnOf is a column within its composition, for fragments that need both.
type columnOf struct {
	composition
	column
}

func (c composition) With(col column) columnOf { return columnOf{c, col} }

// Millis and HourMillis are a row's time, ms since the epoch.
func (composition) Millis() string     { return "toUnixTimestamp64Milli(ts)" }
func (composition) HourMillis() string { return "toInt64(toUnixTimestamp(hour)) * 1000" }

// Bucket is the bucket that holds time: its index when buckets are even, otherwise its start.
func (c composition) Bucket(time string) string {
	if c.Even {
		return "intDiv(" + time + " - {origin:Int64}, {step:Int64})"
	}
	return "roundDown(" + time + ", {edges:Array(Int64)})"
}

// Slot is the start of what a total is taken over: the minute as the bucket cuts it, or a bucket under a minute.
func (c composition) Slot() string {
	minute, start := "intDiv("+c.Millis()+", 60000) * 60000", c.Bucket(c.Millis())
	if c.Even {
		start = "{origin:Int64} + " + start + " * {step:Int64}"
	}
	switch {
	case c.Minutes:
		return minute
	case c.Short:
		return start
	default:
		return "greatest(" + minute + ", " + start + ")"
	}
}

// Level is a percentile's level.
func (c composition) Level() string { return "0." + strings.TrimPrefix(string(c.Agg), "p") }

// MostUnsure bounds how many hours may be named whose restarts only samples tell; one more means too many.
func (composition) MostUnsure() int { return mostUnsure + 1 }

// LevelIndex is the place of a percentile in the hours' sketches.
func (c composition) LevelIndex() int { return 1 + slices.Index([]Agg{P05, P50, P95, P99}, c.Agg) }

// newStatement composes the named template. A fault in a template shows in every test of it, so it panics.
func newStatement(name string, c composition, args []any) statement {
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, name+".sql", c); err != nil {
		panic(fmt.Sprintf("compose %s: %v", name, err))
	}
	return statement{name: name, text: text.String(), args: args}
}

// arguments are the parameters that say whose rows are meant.
func (s Scope) arguments() []any {
	args := []any{clickhouse.Named("license", s.License.String())}
	if s.chosen() {
		args = append(args, clickhouse.Named("servers", s.Servers))
	}
	return args
}

func rawRange(from, to time.Time) []any {
	return []any{clickhouse.Named("raw_from", from.UnixMilli()), clickhouse.Named("raw_to", to.UnixMilli())}
}

func hourRange(from, to time.Time) []any {
	return []any{clickhouse.Named("hour_from", from.Unix()), clickhouse.Named("hour_to", to.Unix())}
}

// seriesStatements are the queries that answer a timeseries: at most one for each way of aggregating.
func seriesStatements(r TimeseriesRequest, p seriesPlan, w weight) []statement {
	c := composition{
		Agg: r.Agg, Grouped: r.GroupBy == GroupServer, Chosen: r.chosen(), Mixed: p.source == schema.Mixed, Sketched: w.sketch,
		Hours: p.source != schema.Raw, Recent: p.source != schema.Hourly, coverage: w.cover,
		Even:    even(p.edges, p.step.Milliseconds()),
		Minutes: multiples(p.edges, time.Minute.Milliseconds()), Short: p.step < time.Minute,
	}
	args := append(r.arguments(), rawRange(p.cut, p.To)...)
	args = append(args, hourRange(p.From, p.cut)...)
	args = append(args, w.cover.arguments()...)
	if c.Even {
		args = append(args, clickhouse.Named("origin", p.edges[0]), clickhouse.Named("step", p.step.Milliseconds()))
	} else {
		args = append(args, clickhouse.Named("edges", p.edges))
	}
	var order []string
	columns := make(map[string][]column)
	for i, metric := range r.Metrics {
		col := newColumn(i, metric)
		if col.Param != "" {
			args = append(args, clickhouse.Named(fmt.Sprintf("m%d", i), strings.TrimPrefix(metric, metricPrefix)))
		}
		name := templateFor(r, p.source, metric, w)
		if columns[name] == nil {
			order = append(order, name)
		}
		columns[name] = append(columns[name], col)
	}
	statements := make([]statement, len(order))
	for i, name := range order {
		c.Columns = columns[name]
		statements[i] = newStatement(name, c, args)
	}
	return statements
}

func newColumn(index int, metric string) column {
	if field, known := schema.FieldByName(metric); known {
		return column{Index: index, Name: field.String(), Value: field.String()}
	}
	param := fmt.Sprintf("{m%d:String}", index)
	return column{Index: index, Param: param, Value: fmt.Sprintf("if(mapContains(metrics, %s), metrics[%s], NULL)", param, param)}
}

// templateFor names the statement that aggregates a metric as the contract says.
func templateFor(r TimeseriesRequest, source schema.Resolution, metric string, w weight) string {
	_, field := schema.FieldByName(metric)
	total := isTotal(metric, r.GroupBy)
	switch {
	case w.cover.whole && field && fromStates(r, source, metric, w):
		return "license_samples"
	case source == schema.Raw && total && r.Agg == Last:
		return "raw_last"
	case source == schema.Raw && total && r.Agg != Sum && r.Agg != Count:
		return "raw_totals"
	case source == schema.Raw:
		return "raw_samples"
	case !field:
		return "hour_metrics"
	case total && r.Agg == Avg:
		return "hour_totals"
	case total && (r.Agg == Min || r.Agg == Max || r.Agg == Last):
		return "hour_servers"
	default:
		return "hour_samples"
	}
}

// estimateStatement asks how much a range holds; whole hours.
func estimateStatement(s Scope, r Range) statement {
	args := append(s.arguments(), hourRange(schema.FloorHour(r.From), schema.CeilHour(r.To))...)
	return newStatement("estimate", composition{Chosen: s.chosen()}, args)
}

// fromStates tells whether a license's own states answer for all samples: not what needs each server by itself, and
// percentiles of raw only where they need not be exact.
func fromStates(r TimeseriesRequest, source schema.Resolution, metric string, w weight) bool {
	switch known, _ := schema.FieldByName(metric); {
	case isTotal(metric, r.GroupBy):
		return r.Agg == Sum || r.Agg == Count
	case isPercentile(r.Agg):
		return known.Info().Sketch && (source != schema.Raw || w.sketch)
	default:
		return true
	}
}
