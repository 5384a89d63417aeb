package backup

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
)

// stagingPrefix begins the tables that rows are loaded into: views do not see what is put there.
const stagingPrefix = "restore_"

// What a restore notes of itself in ClickHouse, until it has ended: whose backup, and which partitions are in place.
const (
	askMarked   = `SELECT count() FROM system.tables WHERE database = 'corrosion' AND name = 'restoring'`
	askMark     = `SELECT DISTINCT toString(backup) FROM corrosion.restoring`
	makeMark    = `CREATE TABLE IF NOT EXISTS corrosion.restoring (backup UUID, item String) ENGINE = MergeTree ORDER BY item SETTINGS non_replicated_deduplication_window = 0`
	addMark     = `INSERT INTO corrosion.restoring SELECT ?, ?`
	askItems    = `SELECT item FROM corrosion.restoring`
	dropMark    = `DROP TABLE IF EXISTS corrosion.restoring SYNC`
	askNonEmpty = `SELECT name FROM system.tables WHERE database = 'corrosion' AND engine LIKE '%MergeTree' AND name NOT IN ('schema_migrations', 'restoring')
		AND NOT startsWith(name, 'restore_') AND total_rows > 0 ORDER BY name`
)

// look tells whether a restore of this backup has begun here; anything else that holds rows is ErrNotEmpty.
func (w *warehouse) look(ctx context.Context, m *Manifest) (resumed bool, err error) {
	var marked uint64
	if err := w.conn.QueryRow(ctx, askMarked).Scan(&marked); err != nil {
		return false, fmt.Errorf("look into ClickHouse: %w", err)
	}
	if marked > 0 {
		of, err := w.texts(ctx, askMark)
		if err != nil {
			return false, fmt.Errorf("look into ClickHouse: %w", err)
		}
		if len(of) == 1 && of[0] == m.ID.String() {
			return true, nil
		}
		if len(of) > 0 {
			return false, notEmpty("ClickHouse holds a restore of another backup that has not ended", "end that one, or drop its database corrosion and begin with empty stores")
		}
	}
	full, err := w.texts(ctx, askNonEmpty)
	if err != nil {
		return false, fmt.Errorf("look into ClickHouse: %w", err)
	}
	if len(full) > 0 {
		return false, notEmpty(fmt.Sprintf("ClickHouse has rows in %v", full), "restore into another server, or drop its database corrosion first")
	}
	return false, nil
}

func (w *warehouse) begin(ctx context.Context, id uuid.UUID) error {
	if err := w.conn.Exec(ctx, makeMark); err != nil {
		return fmt.Errorf("mark the restore: %w", err)
	}
	return w.conn.Exec(ctx, addMark, id, "")
}

func (w *warehouse) end(ctx context.Context) error { return w.conn.Exec(ctx, dropMark) }

// load puts every partition in place that is not there yet.
func (w *warehouse) load(ctx context.Context, source Target, m *Manifest, rows func(done int64)) error {
	placed, err := w.texts(ctx, askItems)
	if err != nil {
		return fmt.Errorf("read what is restored: %w", err)
	}
	var done int64
	for _, t := range m.ClickHouse.Tables {
		var left []File
		for _, f := range t.Files {
			if slices.Contains(placed, f.Path) {
				done += int64(f.Rows)
			} else {
				left = append(left, f)
			}
		}
		if err := w.loadTable(ctx, source, m.ID, t, left, func(n int64) { done += n; rows(done) }); err != nil {
			return fmt.Errorf("table %s of ClickHouse: %w", t.Name, err)
		}
	}
	return nil
}

func (w *warehouse) loadTable(ctx context.Context, source Target, id uuid.UUID, t Table, files []File, rows func(n int64)) error {
	if len(files) == 0 {
		return nil
	}
	staging := stagingPrefix + t.Name
	for _, statement := range []string{
		"DROP TABLE IF EXISTS corrosion." + staging + " SYNC",
		"CREATE TABLE corrosion." + staging + " AS corrosion." + t.Name,
		"SYSTEM STOP MERGES corrosion." + staging,
	} {
		if err := w.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	_, hash, err := w.columns(ctx, staging)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := w.loadPartition(ctx, source, t, f, hash); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		if err := w.conn.Exec(ctx, addMark, id, f.Path); err != nil {
			return fmt.Errorf("note what is restored: %w", err)
		}
		rows(int64(f.Rows))
	}
	return w.conn.Exec(ctx, "DROP TABLE corrosion."+staging+" SYNC")
}

// loadPartition loads a file beside, compares rows and sum, and puts the partition in place in one step.
func (w *warehouse) loadPartition(ctx context.Context, source Target, t Table, f File, hash string) error {
	staging := stagingPrefix + t.Name
	if err := openFile(ctx, source, f.Path, func(from io.Reader) error { return w.insert(ctx, staging, t.Columns, from) }); err != nil {
		return err
	}
	got, err := w.partitions(ctx, staging, hash)
	if err != nil {
		return err
	}
	if want := (partition{f.Partition, f.Rows, f.Sum}); len(got) != 1 || got[0] != want {
		return fmt.Errorf("%w: restored partitions, rows and sums are %v, want %v", ErrDamaged, got, want)
	}
	if err := w.conn.Exec(ctx, "ALTER TABLE corrosion."+t.Name+" REPLACE PARTITION ID '"+f.Partition+"' FROM corrosion."+staging); err != nil {
		return err
	}
	return w.conn.Exec(ctx, "TRUNCATE TABLE corrosion."+staging+" SYNC")
}
