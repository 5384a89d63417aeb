package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema"
)

// Stored is what is kept of one license.
type Stored struct {
	Tables []StoredTable `json:"tables" doc:"One entry a table that holds rows of licenses"`
}

// StoredTable is what one table keeps of one license.
type StoredTable struct {
	Table          string            `json:"table" doc:"The table or, where readers use one, its view" example:"samples"`
	Resolution     schema.Resolution `json:"resolution" enum:"raw,hourly,fixed" doc:"The setting that moves the limit; fixed = none does"`
	Limit          string            `json:"limit" doc:"How old rows become, as ClickHouse says; they fall with their day" example:"7d"`
	LimitSeconds   int64             `json:"limit_seconds" doc:"The same in seconds" example:"604800"`
	Oldest         *time.Time        `json:"oldest" doc:"The license's oldest row; null without one"`
	Rows           uint64            `json:"rows" doc:"The license's rows"`
	Bytes          uint64            `json:"bytes" doc:"Compressed bytes on disk, estimated: the table's bytes shared out by rows"`
	BytesPerSample *float64          `json:"bytes_per_sample" doc:"Bytes over the samples that the rows stand for; null where rows stand for none"`
}

// storedTable is how a table is counted.
type storedTable struct {
	shown   string // what readers call it
	oldest  string // the column that tells a row's time
	samples string // how many samples its rows stand for; empty: none
}

// storedTables are the tables that hold rows of licenses; others are nobody's business.
func storedTables() map[string]storedTable {
	return map[string]storedTable{
		"samples":                 {"samples", "ts", "count()"},
		"license_minutely":        {"license_minutely", "minute", "sum(t.samples)"},
		"license_minutely_totals": {"license_minutely_totals", "minute", "sum(t.samples)"},
		"samples_hourly":          {"samples_hourly", "hour", "sum(t.samples)"},
		"metrics_hourly":          {"metrics_hourly", "hour", "sum(t.count)"},
		"network_hours":           {"network_hourly", "hour", "sum(t.samples)"},
		"license_hourly":          {"license_hourly", "hour", "sum(t.samples)"},
		"license_hourly_totals":   {"license_hourly_totals", "hour", "sum(t.samples)"},
		"server_daily":            {"server_daily", "day", "sum(t.samples)"},
		"event_log":               {"events", "ts", ""},
		"ingest_log":              {"ingest_log", "minute", ""},
	}
}

// storedSQL asks one table for a license's share.
const storedSQL = `SELECT '%[1]s' AS name, count() AS n, toDateTime64(min(t.%[2]s), 3, 'UTC') AS oldest, toUInt64(%[3]s) AS samples FROM corrosion.%[1]s AS t WHERE t.license_id = ?`

// Stored tells what is kept of a license: limits as ClickHouse has them, rows counted, bytes estimated.
func (e *Engine) Stored(ctx context.Context, license uuid.UUID) (*Stored, error) {
	bounded, cancel := e.run.bounded(ctx)
	defer cancel()
	kept, err := schema.KeptTables(bounded, e.run.conn)
	if err != nil {
		return nil, fmt.Errorf("stored: %w", classify(bounded, err))
	}
	s, known := storedStatement(kept, license)
	answer := &Stored{Tables: []StoredTable{}}
	if len(known) == 0 {
		return answer, nil
	}
	counts := map[string]storedCount{}
	err = e.run.query(ctx, s, func(rows driver.Rows) error {
		var name string
		var c storedCount
		if err := rows.Scan(&name, &c.rows, &c.oldest, &c.samples); err != nil {
			return err
		}
		counts[name] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, t := range known {
		answer.Tables = append(answer.Tables, counts[t.Name].of(t))
	}
	return answer, nil
}

// storedStatement asks all known tables at once.
func storedStatement(kept []schema.KeptTable, license uuid.UUID) (statement, []schema.KeptTable) {
	s := statement{name: "stored"}
	var parts []string
	var known []schema.KeptTable
	for _, t := range kept {
		table, ok := storedTables()[t.Name]
		if !ok {
			continue
		}
		samples := table.samples
		if samples == "" {
			samples = "0"
		}
		known = append(known, t)
		parts = append(parts, fmt.Sprintf(storedSQL, t.Name, table.oldest, samples))
		s.args = append(s.args, license)
	}
	s.text = strings.Join(parts, "\nUNION ALL\n")
	return s, known
}

type storedCount struct {
	rows, samples uint64
	oldest        time.Time
}

func (c storedCount) of(t schema.KeptTable) StoredTable {
	shown := storedTables()[t.Name]
	out := StoredTable{Table: shown.shown, Resolution: t.Resolution, Limit: schema.Days(t.Keep), LimitSeconds: int64(t.Keep / time.Second), Rows: c.rows}
	if c.rows == 0 {
		return out
	}
	oldest := c.oldest.UTC()
	out.Oldest = &oldest
	// Rows of the table may have come since its size was read.
	out.Bytes = uint64(float64(t.Bytes) * float64(c.rows) / float64(max(t.Rows, c.rows)))
	if c.samples > 0 {
		each := float64(out.Bytes) / float64(c.samples)
		out.BytesPerSample = &each
	}
	return out
}
