package schema

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema/connect/stores"
)

// lossQuery counts, part by part, the rows beyond a limit of some seconds, with the bytes of the part that are theirs; a part
// that merges in between is counted by the table's bytes a row.
const lossQuery = `WITH (SELECT sum(bytes_on_disk) / greatest(sum(rows), 1) FROM system.parts WHERE database = 'corrosion' AND table = '%[1]s' AND active) AS row_bytes
SELECT sum(lost), min(oldest), toUInt64(sum(if(parts.rows = 0, ifNull(row_bytes, 0), parts.bytes_on_disk / parts.rows) * lost))
FROM (SELECT _part AS name, count() AS lost, min(toDateTime(%[2]s)) AS oldest FROM corrosion.%[1]s
    WHERE toDateTime(%[2]s) + toIntervalSecond(%[3]d) < now() GROUP BY name) AS beyond
LEFT JOIN (SELECT name, rows, bytes_on_disk FROM system.parts WHERE database = 'corrosion' AND table = '%[1]s' AND active) AS parts USING name`

// Loss is what a table would lose by a smaller limit.
type Loss struct {
	Table     string
	From, To  time.Duration
	Rows      uint64
	Oldest    time.Time // of the rows lost; zero: there are none
	Bytes     uint64    // compressed; parts of which some rows stay are counted by rows
	Resolving Resolution
}

// Losses says what the tables would lose by a retention, one entry for each table whose limit shrinks, also where no row
// is old enough to be lost today. Empty: nothing shrinks.
func Losses(ctx context.Context, conn driver.Conn, want Retention) ([]Loss, error) {
	if err := want.Validate(); err != nil {
		return nil, err
	}
	shards, err := stores.Shards(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("count losses: %w", err)
	}
	var all []Loss
	for _, shard := range shards {
		losses, err := lossesOf(ctx, shard, want)
		if err != nil {
			return nil, err
		}
		for _, l := range losses {
			all = addLoss(all, l)
		}
	}
	return all, nil
}

// addLoss counts what one more shard would lose.
func addLoss(all []Loss, l Loss) []Loss {
	at := slices.IndexFunc(all, func(other Loss) bool { return other.Table == l.Table })
	if at < 0 {
		return append(all, l)
	}
	all[at].Rows, all[at].Bytes, all[at].From = all[at].Rows+l.Rows, all[at].Bytes+l.Bytes, max(all[at].From, l.From)
	if all[at].Oldest.IsZero() || !l.Oldest.IsZero() && l.Oldest.Before(all[at].Oldest) {
		all[at].Oldest = l.Oldest
	}
	return all
}

func lossesOf(ctx context.Context, conn driver.Conn, want Retention) ([]Loss, error) {
	tables, err := keptTables(ctx, conn)
	if err != nil {
		return nil, err
	}
	var losses []Loss
	for _, t := range tables {
		keep := want.Of(t)
		if keep >= t.Keep {
			continue
		}
		l := Loss{Table: t.Name, From: t.Keep, To: keep, Resolving: t.Resolution}
		row := conn.QueryRow(ctx, fmt.Sprintf(lossQuery, t.Name, t.Counts, int(keep/time.Second)))
		if err := row.Scan(&l.Rows, &l.Oldest, &l.Bytes); err != nil {
			return nil, fmt.Errorf("count what %s would lose: %w", t.Name, err)
		}
		if l.Rows == 0 {
			l.Oldest = time.Time{}
		}
		losses = append(losses, l)
	}
	return losses, nil
}
