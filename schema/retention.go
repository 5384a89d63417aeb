package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema/connect/stores"
	"corrosion/schema/pause"
)

const (
	// keptTablesQuery leaves out what a backup, a healing, a restore or a move works in: it comes and goes, on one shard alone at times.
	keptTablesQuery = `SELECT name, engine_full, partition_key, ifNull(total_rows, 0), ifNull(total_bytes, 0) FROM system.tables ` +
		`WHERE database = 'corrosion' AND engine LIKE '%MergeTree' AND engine_full LIKE '% TTL %' ` +
		`AND NOT match(name, '^(backup|heal|restore|move)_') ORDER BY name`
	alterTTL = `ALTER TABLE corrosion.%s MODIFY TTL %s + toIntervalDay(%d) DELETE`
)

const day = 24 * time.Hour

const (
	// unfinished is ClickHouse's error code for a change of parts that it goes on with by itself: a healing that stops merges
	// interrupts it, and it is tried again afterwards.
	unfinished = 341
	// mutationsQuery counts the changes of a table's parts that are under way.
	mutationsQuery = `SELECT count() FROM system.mutations WHERE database = 'corrosion' AND table = ? AND NOT is_done AND NOT is_killed`
	// mutationsLimit is how long they are waited for, mutationsPause how long between two looks.
	mutationsLimit = 5 * time.Minute
	mutationsPause = 200 * time.Millisecond
)

// ttl takes a table's limit apart: what it counts from, and how long it is.
var ttl = regexp.MustCompile(`\bTTL (.+?) \+ toInterval(Day|Hour)\((\d+)\)(?: DELETE)?(?: SETTINGS |$)`)

// Fixed is the resolution of tables whose limit no setting changes.
const Fixed Resolution = "fixed"

// KeptTable is a table of ClickHouse whose rows fall away, as ClickHouse itself describes it.
type KeptTable struct {
	Name string
	// Resolution says which setting moves its limit.
	Resolution Resolution
	// Counts is the expression that a row's age counts from, and Keep how old a row becomes.
	Counts string
	Keep   time.Duration
	// Span is what one partition holds; partitions fall whole, so that a row may stay for so much longer.
	Span time.Duration
	// Rows and Bytes are of all licenses, compressed.
	Rows, Bytes uint64
}

// resolutionOf: what is finer than an hour lives as long as raw samples do.
func resolutionOf(table string) Resolution {
	switch table {
	case "samples", "samples_minutely", "license_minutely", "license_minutely_totals":
		return Raw
	case "samples_hourly", "metrics_hourly", "network_hours", "license_hourly", "license_hourly_totals", "server_daily", "ingest_log":
		return Hourly
	}
	return Fixed
}

// KeptTables reads from ClickHouse which tables have a limit, and which. Of a cluster, rows and bytes are those of all shards,
// and where shards differ, the limit is the least.
func KeptTables(ctx context.Context, conn driver.Conn) ([]KeptTable, error) {
	shards, err := stores.Shards(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	all, err := keptTables(ctx, shards[0])
	for _, shard := range shards[1:] {
		if err != nil {
			return nil, err
		}
		var tables []KeptTable
		tables, err = keptTables(ctx, shard)
		for _, t := range tables {
			at := slices.IndexFunc(all, func(k KeptTable) bool { return k.Name == t.Name })
			if at < 0 {
				return nil, fmt.Errorf("read retention: only some shards have the table %s: run corrosion migrate", t.Name)
			}
			all[at].Rows, all[at].Bytes, all[at].Keep = all[at].Rows+t.Rows, all[at].Bytes+t.Bytes, min(all[at].Keep, t.Keep)
		}
	}
	return all, err
}

func keptTables(ctx context.Context, conn driver.Conn) ([]KeptTable, error) {
	rows, err := conn.Query(ctx, keptTablesQuery)
	if err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	defer rows.Close()
	var tables []KeptTable
	for rows.Next() {
		var t KeptTable
		var engine, partition string
		if err := rows.Scan(&t.Name, &engine, &partition, &t.Rows, &t.Bytes); err != nil {
			return nil, fmt.Errorf("read retention: %w", err)
		}
		if err := t.describe(engine, partition); err != nil {
			return nil, fmt.Errorf("read retention: %w", err)
		}
		tables = append(tables, t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	return tables, nil
}

func (t *KeptTable) describe(engine, partition string) error {
	match := ttl.FindStringSubmatch(engine)
	if match == nil {
		return fmt.Errorf("table %s has a TTL that is not in days or hours", t.Name)
	}
	n, err := strconv.Atoi(match[3])
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	unit := day
	if match[2] == "Hour" {
		unit = time.Hour
	}
	t.Resolution, t.Counts, t.Keep = resolutionOf(t.Name), match[1], time.Duration(n)*unit
	switch {
	case strings.HasPrefix(partition, "toDate("):
		t.Span = day
	case strings.HasPrefix(partition, "toMonday("):
		t.Span = 7 * day
	case strings.HasPrefix(partition, "toStartOfHour("):
		t.Span = time.Hour
	default:
		return fmt.Errorf("table %s is not partitioned by time: %q", t.Name, partition)
	}
	return nil
}

// ReadRetention reads from ClickHouse how long its tables keep their rows.
func ReadRetention(ctx context.Context, conn driver.Conn) (Retention, error) {
	tables, err := KeptTables(ctx, conn)
	if err != nil {
		return Retention{}, err
	}
	var retention Retention
	for _, t := range tables {
		switch t.Name {
		case "samples":
			retention.Raw = t.Keep
		case "samples_hourly":
			retention.Hourly = t.Keep
		}
	}
	if retention.Raw == 0 || retention.Hourly == 0 {
		return Retention{}, errors.New("read retention: the tables are missing: run corrosion migrate")
	}
	return retention, nil
}

// Validate says whether the tables can keep their rows so: whole days, raw at least one, and never longer than the hours.
func (r Retention) Validate() error {
	if r.Raw < day || r.Hourly < r.Raw || r.Hourly > 3650*day || r.Raw%day != 0 || r.Hourly%day != 0 {
		return fmt.Errorf("retention: raw %s and hourly %s: want whole days, raw at least 1, hourly from raw to 3650", Days(r.Raw), Days(r.Hourly))
	}
	return nil
}

// Days writes a limit as people do: 7d, or 1h where it is no whole days.
func Days(d time.Duration) string {
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.String()
}

// Of is the limit that r sets for a table, or the one that it has.
func (r Retention) Of(t KeptTable) time.Duration {
	switch t.Resolution {
	case Raw:
		return r.Raw
	case Hourly:
		return r.Hourly
	default:
		return t.Keep
	}
}

// ApplyRetention makes the tables keep their rows for whole days, changes only what differs, and reads back that it is so.
// It shrinks without asking: ask Losses first.
func ApplyRetention(ctx context.Context, conn driver.Conn, want Retention) error {
	if err := want.Validate(); err != nil {
		return err
	}
	shards, err := stores.Shards(ctx, conn)
	if err != nil {
		return fmt.Errorf("apply retention: %w", err)
	}
	for i, shard := range shards {
		if err := applyRetention(ctx, shard, want); err != nil {
			if len(shards) > 1 {
				return fmt.Errorf("shard %d: %w", i+1, err)
			}
			return err
		}
	}
	return nil
}

func applyRetention(ctx context.Context, conn driver.Conn, want Retention) error {
	tables, err := keptTables(ctx, conn)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if keep := want.Of(t); keep != t.Keep {
			err := conn.Exec(ctx, fmt.Sprintf(alterTTL, t.Name, t.Counts, int(keep/day)))
			if interrupted(err) {
				err = awaitMutations(ctx, conn, t.Name)
			}
			if err != nil {
				return fmt.Errorf("apply retention to %s: %w", t.Name, err)
			}
		}
	}
	if tables, err = keptTables(ctx, conn); err != nil {
		return err
	}
	for _, t := range tables {
		if t.Keep != want.Of(t) {
			return fmt.Errorf("apply retention: table %s still keeps %s", t.Name, Days(t.Keep))
		}
	}
	return nil
}

func interrupted(err error) bool {
	var exception *clickhouse.Exception
	return errors.As(err, &exception) && exception.Code == unfinished
}

// awaitMutations waits until ClickHouse has changed all parts of a table.
func awaitMutations(ctx context.Context, conn driver.Conn, table string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, mutationsLimit, errors.New("parts are still being changed: ClickHouse goes on by itself, see system.mutations"))
	defer cancel()
	for {
		var left uint64
		if err := conn.QueryRow(ctx, mutationsQuery, table).Scan(&left); err != nil || left == 0 {
			return err
		}
		if !pause.For(ctx, mutationsPause) {
			return context.Cause(ctx)
		}
	}
}
