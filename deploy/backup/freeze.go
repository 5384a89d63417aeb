package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema/insertgate"
)

// clonePrefix begins the tables that a backup reads.
const clonePrefix = "backup_"

const (
	askClones = `SELECT name FROM system.tables WHERE database = 'corrosion' AND startsWith(name, 'backup_')`
	askNow    = `SELECT now64(3)`
)

// How long INSERTs are held off at most in the first try, each further one for twice as long, and for how long it is tried:
// another holder may have the gate. INSERTs under way are waited for and never killed, for that would leave rollups short.
const (
	firstLease = 10 * time.Second
	freezeFor  = 3 * time.Minute
	tryPause   = time.Second
)

// freeze clones every table as of one instant, by hard links. Nothing is merged in the clones, so they stay as they are.
func (w *warehouse) freeze(ctx context.Context) (tables []string, at time.Time, err error) {
	if err := w.thaw(ctx); err != nil { // what one that died left behind
		return nil, at, err
	}
	if tables, err = w.texts(ctx, askTables); err != nil {
		return nil, at, fmt.Errorf("list tables of ClickHouse: %w", err)
	}
	lease, begun := firstLease, time.Now()
	for {
		if at, err = w.clone(ctx, tables, lease); err == nil {
			break
		}
		late := errors.Is(err, context.DeadlineExceeded)
		if ctx.Err() != nil || time.Since(begun) > freezeFor || !late && !errors.Is(err, insertgate.ErrBusy) {
			return nil, at, fmt.Errorf("clone the tables of ClickHouse: %w", err)
		}
		if err := w.thaw(ctx); err != nil {
			return nil, at, err
		}
		if late {
			lease = min(2*lease, time.Minute)
		}
		select {
		case <-ctx.Done():
			return nil, at, ctx.Err()
		case <-time.After(tryPause):
		}
	}
	for _, table := range tables {
		if err := w.conn.Exec(ctx, "SYSTEM STOP MERGES corrosion."+clonePrefix+table); err != nil {
			return nil, at, fmt.Errorf("stop merges of the clone of %s: %w", table, err)
		}
	}
	return tables, at, nil
}

// clone holds INSERTs off while it clones.
func (w *warehouse) clone(ctx context.Context, tables []string, lease time.Duration) (at time.Time, err error) {
	gate := insertgate.Gate{Conns: []driver.Conn{w.conn}, Lease: lease}
	bound, open, err := gate.Shut(ctx)
	if err != nil {
		return at, err
	}
	defer open()
	if err := w.conn.QueryRow(bound, askNow).Scan(&at); err != nil {
		return at, err
	}
	for _, table := range tables {
		if err := w.conn.Exec(bound, "CREATE TABLE corrosion."+clonePrefix+table+" CLONE AS corrosion."+table); err != nil {
			return at, fmt.Errorf("clone %s: %w", table, err)
		}
	}
	return at, bound.Err()
}

// thaw removes the clones.
func (w *warehouse) thaw(ctx context.Context) error {
	clones, err := w.texts(ctx, askClones)
	if err != nil {
		return fmt.Errorf("look for clones of an earlier backup: %w", err)
	}
	for _, table := range clones {
		if err := w.conn.Exec(ctx, "DROP TABLE IF EXISTS corrosion."+table+" SYNC"); err != nil {
			return fmt.Errorf("drop %s: %w", table, err)
		}
	}
	return nil
}

// counted is what a clone holds, before it is read.
type clonedTable struct {
	Table
	partitions []partition
}

// count looks at every clone.
func (w *warehouse) count(ctx context.Context, tables []string) (all []clonedTable, rows int64, err error) {
	for _, table := range tables {
		t := clonedTable{Table: Table{Name: table, Files: []File{}}}
		var hash string
		if t.Columns, hash, err = w.columns(ctx, clonePrefix+table); err != nil {
			return nil, 0, err
		}
		if t.partitions, err = w.partitions(ctx, clonePrefix+table, hash); err != nil {
			return nil, 0, err
		}
		for _, p := range t.partitions {
			rows += int64(p.rows)
		}
		all = append(all, t)
	}
	return all, rows, nil
}

// copyTables writes a file a partition.
func (w *warehouse) copyTables(ctx context.Context, target Target, tables []clonedTable, done func(rows int64)) ([]Table, error) {
	copied := []Table{}
	for _, t := range tables {
		for _, p := range t.partitions {
			path := "clickhouse/" + t.Name + "/" + p.id + ".native.zst"
			query := "SELECT " + quotedNames(t.Columns) + " FROM corrosion." + clonePrefix + t.Name + " WHERE _partition_id = '" + p.id + "'"
			file, err := put(ctx, target, path, func(int) {}, func(to io.Writer) error { return w.read(ctx, query, to) })
			if err != nil {
				return nil, fmt.Errorf("back up %s, partition %s: %w", t.Name, p.id, err)
			}
			file.Partition, file.Rows, file.Sum = p.id, p.rows, p.sum
			t.Files = append(t.Files, file)
			done(int64(p.rows))
		}
		copied = append(copied, t.Table)
	}
	return copied, nil
}
