package move

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema"
)

// deriveAll makes the rollups of whole licenses on each shard, for the partitions whose source was copied, and drops what was
// made beside.
func (m *mover) deriveAll(ctx context.Context, work []part) error {
	for _, d := range deriveds() {
		for _, p := range work {
			if p.table.name != d.from {
				continue
			}
			for i, shard := range m.shards {
				if err := d.make(ctx, shard, p); err != nil {
					return fmt.Errorf("%s %s on shard %d: %w", d.name, p.name, i+1, err)
				}
			}
		}
	}
	for _, shard := range m.shards {
		for _, name := range stagedTables() {
			if err := shard.Exec(ctx, "DROP TABLE IF EXISTS corrosion."+staging+name+" SYNC"); err != nil {
				return fmt.Errorf("drop the table beside %s: %w", name, err)
			}
		}
	}
	return nil
}

// make computes a day where it counts other samples than its source.
func (d derived) make(ctx context.Context, shard driver.Conn, p part) error {
	var has, want uint64
	err := shard.QueryRow(ctx, fmt.Sprintf("SELECT (SELECT sum(samples) FROM corrosion.%s WHERE toDate(%s) = %s), (SELECT toUInt64(%s) FROM corrosion.%s WHERE %s)",
		d.name, d.time, schema.Literal(p.name), d.counted, d.from, p.where)).Scan(&has, &want)
	if err != nil || has == want {
		return err
	}
	selects, names, err := d.selects(ctx, shard, p)
	if err != nil {
		return err
	}
	if err := shard.Exec(settings(ctx), "INSERT INTO corrosion."+staging+d.name+" ("+names+") "+selects); err != nil {
		return err
	}
	return replace(ctx, shard, d.name, p.id)
}

var (
	fromSamples = regexp.MustCompile(` FROM corrosion(?:_shard)?\.samples\b`)
	simpleType  = regexp.MustCompile(`^SimpleAggregateFunction\((\w+), `)
	stateType   = regexp.MustCompile(`^AggregateFunction\((\w+)(\([^)]*\))?, `)
)

// selects is the SELECT that gives a day's rows, and their columns.
func (d derived) selects(ctx context.Context, shard driver.Conn, p part) (text, names string, err error) {
	rows, err := shard.Query(ctx, "SELECT name, type, is_in_sorting_key FROM system.columns WHERE database = 'corrosion' AND table = ? ORDER BY position", d.name)
	if err != nil {
		return "", "", err
	}
	defer rows.Close()
	var all, keys, values []string
	for rows.Next() {
		var name, kind string
		var key uint8
		if err := rows.Scan(&name, &kind, &key); err != nil {
			return "", "", err
		}
		all = append(all, name)
		switch simple, state := simpleType.FindStringSubmatch(kind), stateType.FindStringSubmatch(kind); {
		case simple != nil:
			values = append(values, simple[1]+"(t."+name+") AS "+name)
		case state != nil:
			values = append(values, state[1]+"MergeState"+state[2]+"(t."+name+") AS "+name)
		default:
			keys = append(keys, name)
		}
	}
	if err := rows.Err(); err != nil {
		return "", "", err
	}
	names = strings.Join(all, ", ")
	if d.view == "" {
		return "SELECT " + names + " FROM (SELECT " + strings.Join(append(keys, values...), ", ") + " FROM corrosion." + d.from + " AS t WHERE " + p.where +
			" GROUP BY " + strings.Join(keys, ", ") + ")", names, nil
	}
	var view string
	if err := shard.QueryRow(ctx, "SELECT as_select FROM system.tables WHERE database = 'corrosion' AND name = ?", d.view).Scan(&view); err != nil {
		return "", "", err
	}
	day := fmt.Sprintf(" FROM (SELECT * FROM corrosion.samples WHERE %s) AS samples", p.where)
	return "SELECT " + names + " FROM (" + fromSamples.ReplaceAllString(view, day) + ")", names, nil
}

// String says what became of a partition, for people.
func (p Progress) String() string {
	if p.Rows == 0 {
		return fmt.Sprintf("%d/%d  %s %s: equal", p.Done, p.Total, p.Table, p.Partition)
	}
	return fmt.Sprintf("%d/%d  %s %s: %d rows copied in %s", p.Done, p.Total, p.Table, p.Partition, p.Rows, p.Took.Round(time.Millisecond))
}
