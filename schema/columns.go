package schema

import (
	"strings"
	"time"
)

// Column is one column of a ClickHouse table, as the server describes it.
type Column struct {
	Name string
	Type string
}

// SamplesTable is the table of every sample.
const SamplesTable = "corrosion.samples"

// StoredAt is the last column of samples. The server fills it in: when the INSERT that brought the row ran, by its own
// clock, in steps of StoredAtStep. No later INSERT has an earlier one.
const StoredAt = "stored_at"

// StoredAtStep is the unit of StoredAt.
const StoredAtStep = 100 * time.Millisecond

// SampleColumns is the one ordered list of the columns of samples that are sent; StoredAt comes after them. The INSERT
// text, the batch's columns and the exports all come from it, and a test compares it with the server's own description.
func SampleColumns() []Column {
	columns := []Column{
		{"license_id", "UUID"},
		{"server_id", "LowCardinality(String)"},
		{"ts", "DateTime64(3, 'UTC')"},
	}
	for f := range NumFields {
		columns = append(columns, Column{f.String(), columnType(f)})
	}
	return append(columns,
		Column{"metrics", "Map(LowCardinality(String), Float64)"},
		Column{"epoch", "UInt64"},
		Column{"seq", "UInt64"},
		Column{"idx", "UInt16"},
		Column{"received_at", "DateTime64(3, 'UTC')"},
	)
}

func columnType(f Field) string {
	switch fieldInfos[f].Kind {
	case Uint32:
		return "Nullable(UInt32)"
	case Uint64:
		return "Nullable(UInt64)"
	case Float:
		return "Nullable(Float64)"
	default:
		return "LowCardinality(Nullable(String))"
	}
}

// InsertSamples is the INSERT text of a batch; its columns are SampleColumns in order.
func InsertSamples() string {
	columns := SampleColumns()
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return "INSERT INTO " + SamplesTable + " (" + strings.Join(names, ", ") + ")"
}
