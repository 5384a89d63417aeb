package query

import "fmt"

// cells is one table's part of an answer over all samples of a license. Every table gives the same columns, so that they
// can be joined: states, or raw values that become states. All names are constants.
type cells struct {
	composition
	// Table is the table's name; Time is the start of what one cell holds, for the order of cells.
	Table, Time string
	// raw says that rows are samples.
	raw bool
	// Where says which rows.
	Where string
}

const (
	licenseIs = "license_id = {license:UUID}"
	hourIs    = licenseIs + " AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')"
	minuteIs  = licenseIs + " AND minute >= toDateTime({body_from:UInt32}, 'UTC') AND minute < toDateTime({body_to:UInt32}, 'UTC')"
	sampleIs  = licenseIs + " AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')"
)

// Cells is a table's part: the license's own rows outside of the gaps, the servers' rows within.
func (c composition) Cells(table string) cells {
	outside := func(where, kind, column string) string {
		if !c.Any(kind) {
			return where
		}
		return where + " AND NOT " + c.Within(kind, column)
	}
	switch table {
	case "license_hourly":
		return cells{c, table, "hour", false, outside(hourIs, "live_hours", "hour")}
	case "samples_hourly":
		return cells{c, table, "hour", false, hourIs + " AND " + c.Within("live_hours", "hour")}
	case "license_minutely":
		return cells{c, table, "minute", false, outside(minuteIs, "elsewhere", "minute")}
	default:
		return cells{c, table, "toStartOfMinute(ts)", true, sampleIs + " AND " + c.Within("live", "ts")}
	}
}

// Millis is a row's time, ms since the epoch.
func (c cells) Millis() string {
	if c.raw {
		return c.composition.Millis()
	}
	return "toInt64(toUnixTimestamp(" + c.Time + ")) * 1000"
}

// Samples is how many samples the rows hold.
func (c cells) Samples() string {
	if c.raw {
		return "count()"
	}
	return "sum(t.samples)"
}

// Sum and Count add up a column.
func (c cells) Sum(col column) string {
	if c.raw {
		return fmt.Sprintf("toFloat64(ifNull(sum(%s), 0))", col.Value)
	}
	return fmt.Sprintf("toFloat64(sum(%s_sum))", col.Name)
}

// Count is how many samples measured a column.
func (c cells) Count(col column) string {
	if c.raw {
		return fmt.Sprintf("count(%s)", col.Value)
	}
	return fmt.Sprintf("sum(%s_count)", col.Name)
}

// Extreme is the smallest or largest value of a column; agg is min or max.
func (c cells) Extreme(agg Agg, col column) string {
	if c.raw {
		return fmt.Sprintf("CAST(%s(%s), 'Nullable(Float64)')", agg, col.Value)
	}
	return fmt.Sprintf("CAST(%s(%s_%s), 'Nullable(Float64)')", agg, col.Name, agg)
}

// Sketch is the quantile sketch of a column.
func (c cells) Sketch(col column) string {
	if c.raw {
		return fmt.Sprintf("quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(%s)", col.Value)
	}
	return fmt.Sprintf("quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(%s_sketch)", col.Name)
}

// Cell is a column's state for the aggregation that is asked for.
func (c cells) Cell(col column) string {
	switch c.Agg {
	case Min, Max:
		return c.Extreme(c.Agg, col)
	case Last:
		if c.raw {
			return fmt.Sprintf("CAST(argMax(%s, (ts, seq, idx)), 'Nullable(Float64)')", col.Value)
		}
		return fmt.Sprintf("CAST(argMaxMerge(%s_last), 'Nullable(Float64)')", col.Name)
	default:
		return c.Sketch(col)
	}
}
