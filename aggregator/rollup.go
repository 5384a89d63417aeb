package aggregator

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
)

// rollup is a table, as ClickHouse describes it and the view that fills it.
type rollup struct {
	schema.Rollup
	keys    []string
	columns []rollupColumn
	// head and tail are the view's SELECT around the table that it reads.
	head, tail string
	// gone: rows of hours before it may have expired in the rollup itself.
	gone time.Time
}

// rollupColumn is a value of a rollup: how parts of it are put together, and its plain number on both sides.
type rollupColumn struct {
	name string
	// function is what merges parts: sum, min, max, groupBitOr, groupUniqArrayArray; empty for a state.
	function string
	nullable bool
	float    bool
	// kept and counted are the value from the table and from the view's SELECT.
	kept, counted string
}

const (
	askColumns = `SELECT name, type, toBool(is_in_sorting_key) FROM system.columns WHERE database = 'corrosion' AND table = ? ORDER BY position`
	askView    = `SELECT as_select FROM system.tables WHERE database = 'corrosion' AND name = ?`
)

var (
	simpleType  = regexp.MustCompile(`^SimpleAggregateFunction\((\w+), (.*)\)$`)
	stateType   = regexp.MustCompile(`^AggregateFunction\((\w+)(\([^)]*\))?, .*\)$`)
	fromSamples = regexp.MustCompile(` FROM corrosion(?:_shard)?\.samples\b`)
)

// loadRollups reads how ClickHouse defines the rollups.
func loadRollups(ctx context.Context, conn driver.Conn, list []schema.Rollup) ([]*rollup, error) {
	var rollups []*rollup
	for _, one := range list {
		r, err := loadRollup(ctx, conn, one)
		if err != nil {
			return nil, fmt.Errorf("read the definition of %s: %w", one.Table, err)
		}
		rollups = append(rollups, r)
	}
	return rollups, nil
}

func loadRollup(ctx context.Context, conn driver.Conn, one schema.Rollup) (*rollup, error) {
	r := &rollup{Rollup: one}
	var selects string
	if err := conn.QueryRow(ctx, askView, one.View).Scan(&selects); err != nil {
		return nil, fmt.Errorf("view %s: %w", one.View, err)
	}
	at := fromSamples.FindAllStringIndex(selects, -1)
	if len(at) != 1 {
		return nil, fmt.Errorf("view %s reads samples %d times, want once", one.View, len(at))
	}
	r.head, r.tail = selects[:at[0][0]], selects[at[0][1]:]
	rows, err := conn.Query(ctx, askColumns, one.Table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		var key bool
		if err := rows.Scan(&name, &kind, &key); err != nil {
			return nil, err
		}
		if key {
			r.keys = append(r.keys, name)
			continue
		}
		column, err := newRollupColumn(name, kind)
		if err != nil {
			return nil, err
		}
		r.columns = append(r.columns, column)
	}
	return r, rows.Err()
}

func newRollupColumn(name, kind string) (rollupColumn, error) {
	c := rollupColumn{name: name}
	quoted := "`" + name + "`"
	if m := simpleType.FindStringSubmatch(kind); m != nil {
		c.function, c.nullable, c.float = m[1], strings.HasPrefix(m[2], "Nullable("), strings.Contains(m[2], "Float")
		c.kept, c.counted = c.function+"("+quoted+")", quoted
		if strings.HasPrefix(m[2], "Array(") {
			c.kept, c.counted = "arraySort("+c.kept+")", "arraySort("+quoted+")"
		}
		return c, nil
	}
	if m := stateType.FindStringSubmatch(kind); m != nil {
		c.nullable = true
		c.kept = "toString(" + m[1] + "Merge" + m[2] + "(" + quoted + "))"
		c.counted = "toString(finalizeAggregation(" + quoted + "))"
		return c, nil
	}
	return c, fmt.Errorf("column %s has type %s: want an aggregate or a key", name, kind)
}

// source is the view's SELECT over a table's rows that pass a filter.
func (r *rollup) source(table, filter string) string {
	return r.head + " FROM (SELECT * FROM " + table + " WHERE " + filter + ") AS samples" + r.tail
}

// names are all columns in the view's words.
func (r *rollup) names() string {
	all := make([]string, 0, len(r.keys)+len(r.columns))
	all = append(all, r.keys...)
	for i := range r.columns {
		all = append(all, r.columns[i].name)
	}
	return "`" + strings.Join(all, "`, `") + "`"
}
