package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema/connect/stores"
	"corrosion/schema/insertgate"
	"corrosion/schema/pause"
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

// freeze clones every table as of one instant, by hard links, on the first replica of every shard. Nothing is merged in the
// clones, so they stay as they are.
func (w *warehouse) freeze(ctx context.Context) (tables []source, at time.Time, err error) {
	if err := w.thaw(ctx); err != nil { // what one that died left behind
		return nil, at, err
	}
	if tables, err = w.sources(ctx); err != nil {
		return nil, at, err
	}
	if at, err = w.cloneInTime(ctx, tables); err != nil {
		return nil, at, err
	}
	return tables, at, w.each(func(s shard) error {
		for _, t := range tables {
			if err := s.conn.Exec(ctx, "SYSTEM STOP MERGES corrosion."+clonePrefix+t.name); err != nil {
				return fmt.Errorf("stop merges of the clone of %s: %w", t.name, err)
			}
		}
		return nil
	})
}

// cloneInTime tries until INSERTs could be held off for long enough.
func (w *warehouse) cloneInTime(ctx context.Context, tables []source) (at time.Time, err error) {
	lease, begun := firstLease, time.Now()
	for {
		if err := w.catchUp(ctx, tables); err != nil { // most of it while INSERTs go on
			return at, err
		}
		if at, err = w.clone(ctx, tables, lease); err == nil {
			return at, nil
		}
		late := errors.Is(err, context.DeadlineExceeded)
		if ctx.Err() != nil || time.Since(begun) > freezeFor || !late && !errors.Is(err, insertgate.ErrBusy) {
			return at, fmt.Errorf("clone the tables of ClickHouse: %w", err)
		}
		if err := w.thaw(ctx); err != nil {
			return at, err
		}
		if late {
			lease = min(2*lease, time.Minute)
		}
		if !pause.For(ctx, tryPause) {
			return at, ctx.Err()
		}
	}
}

// clone holds INSERTs off on every replica of every shard while it clones.
func (w *warehouse) clone(ctx context.Context, tables []source, lease time.Duration) (at time.Time, err error) {
	gate := insertgate.Gate{Conns: w.replicas(), Lease: lease}
	bound, open, err := gate.Shut(ctx)
	if err != nil {
		return at, err
	}
	defer open()
	if err := w.catchUp(bound, tables); err != nil {
		return at, err
	}
	if err := w.shards[0].conn.QueryRow(bound, askNow).Scan(&at); err != nil {
		return at, err
	}
	err = w.each(func(s shard) error {
		for _, t := range tables {
			if err := s.conn.Exec(bound, t.clone()); err != nil {
				return fmt.Errorf("clone %s: %w", t.name, err)
			}
		}
		return nil
	})
	return at, errors.Join(err, bound.Err())
}

// clone is the statement that makes a table's clone, which is one server's alone.
func (s source) clone() string {
	return "CREATE TABLE corrosion." + clonePrefix + s.name + " CLONE AS corrosion." + s.name + s.engine
}

// thaw removes the clones of every shard, wherever they are.
func (w *warehouse) thaw(ctx context.Context) error {
	return w.each(func(s shard) error {
		var faults []error
		for _, replica := range s.replicas {
			faults = append(faults, thaw(ctx, replica))
		}
		return errors.Join(faults...)
	})
}

func thaw(ctx context.Context, conn driver.Conn) error {
	clones, err := stores.Texts(ctx, conn, askClones)
	if err != nil {
		return fmt.Errorf("look for clones of an earlier backup: %w", err)
	}
	for _, table := range clones {
		if err := conn.Exec(ctx, "DROP TABLE IF EXISTS corrosion."+table+" SYNC"); err != nil {
			return fmt.Errorf("drop %s: %w", table, err)
		}
	}
	return nil
}

// clonedTable is what the clones of a table hold, before they are read.
type clonedTable struct {
	Table
	pieces []piece
}

// piece is one partition on one shard.
type piece struct {
	shard
	partition
}

// count looks at every clone.
func (w *warehouse) count(ctx context.Context, tables []source) (all []clonedTable, rows int64, err error) {
	for _, source := range tables {
		t := clonedTable{Table: Table{Name: source.name, Files: []File{}}}
		for i, s := range w.shards {
			if err := t.count(ctx, s, i == 0); err != nil {
				return nil, 0, s.fault(err)
			}
		}
		for _, p := range t.pieces {
			rows += int64(p.rows)
		}
		all = append(all, t)
	}
	return all, rows, nil
}

// count adds what one shard has.
func (t *clonedTable) count(ctx context.Context, s shard, first bool) error {
	names, hash, err := columns(ctx, s.conn, clonePrefix+t.Name)
	if err != nil {
		return err
	}
	if !first && !slices.Equal(names, t.Columns) {
		return fmt.Errorf("the columns of %s are not those of the first shard: run `corrosion migrate` first", t.Name)
	}
	t.Columns = names
	found, err := partitions(ctx, s.conn, clonePrefix+t.Name, hash)
	for _, p := range found {
		t.pieces = append(t.pieces, piece{s, p})
	}
	return err
}

// copyTables writes a file a shard and partition.
func (w *warehouse) copyTables(ctx context.Context, target Target, tables []clonedTable, done func(rows int64)) ([]Table, error) {
	copied := []Table{}
	for _, t := range tables {
		for _, p := range t.pieces {
			query := w.rows(p.shard, &t.Table, p.id)
			file, err := put(ctx, target, w.file(p.shard, t.Name, p.id), func(int) {}, func(to io.Writer) error { return w.read(ctx, query, to) })
			if err != nil {
				return nil, fmt.Errorf("back up %s: %w", w.file(p.shard, t.Name, p.id), err)
			}
			file.Partition, file.Rows, file.Sum = p.id, p.partition.rows, p.sum
			t.Files = append(t.Files, file)
			done(int64(p.partition.rows))
		}
		copied = append(copied, t.Table)
	}
	return copied, nil
}
