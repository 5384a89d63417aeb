package backup

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/connect/stores"
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
		of, err := stores.Texts(ctx, w.conn, askMark)
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
	full, err := stores.Texts(ctx, w.conn, askNonEmpty)
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
	placed, err := stores.Texts(ctx, w.conn, askItems)
	if err != nil {
		return fmt.Errorf("read what is restored: %w", err)
	}
	var done int64
	for _, t := range m.ClickHouse.Tables {
		var left [][]File
		for _, files := range t.partitions() {
			if slices.Contains(placed, mark(files)) {
				done += int64(together(files).rows)
			} else {
				left = append(left, files)
			}
		}
		if err := w.loadTable(ctx, source, m.ID, t, left, func(n int64) { done += n; rows(done) }); err != nil {
			return fmt.Errorf("table %s of ClickHouse: %w", t.Name, err)
		}
	}
	return nil
}

// mark is what stands for a partition that is in place: its first file.
func mark(files []File) string { return files[0].Path }

// together is what the files of a partition come to; sums wrap, as ClickHouse's do.
func together(files []File) partition {
	p, sum := partition{id: files[0].Partition}, uint64(0)
	for _, f := range files {
		one, _ := strconv.ParseUint(f.Sum, 10, 64) // one that is no number is not what the rows come to
		p.rows, sum = p.rows+f.Rows, sum+one
	}
	p.sum = strconv.FormatUint(sum, 10)
	return p
}

func (w *warehouse) loadTable(ctx context.Context, source Target, id uuid.UUID, t Table, left [][]File, rows func(n int64)) error {
	if len(left) == 0 {
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
	_, hash, err := columns(ctx, w.conn, staging)
	if err != nil {
		return err
	}
	for _, files := range left {
		if err := w.loadPartition(ctx, source, t, files, hash); err != nil {
			return err
		}
		if err := w.conn.Exec(ctx, addMark, id, mark(files)); err != nil {
			return fmt.Errorf("note what is restored: %w", err)
		}
		rows(int64(together(files).rows))
	}
	return w.conn.Exec(ctx, "DROP TABLE corrosion."+staging+" SYNC")
}

// loadPartition loads a partition's files beside, compares rows and sum, and puts it in place in one step.
func (w *warehouse) loadPartition(ctx context.Context, source Target, t Table, files []File, hash string) error {
	staging, want := stagingPrefix+t.Name, together(files)
	for _, f := range files {
		if err := openFile(ctx, source, f.Path, func(from io.Reader) error { return w.insert(ctx, staging, t.Columns, from) }); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	got, err := partitions(ctx, w.conn, staging, hash)
	if err != nil {
		return err
	}
	if len(got) != 1 || got[0] != want {
		return fmt.Errorf("%s: %w: restored partitions, rows and sums are %v, want %v", paths(files), ErrDamaged, got, want)
	}
	if err := w.conn.Exec(ctx, "ALTER TABLE corrosion."+t.Name+" REPLACE PARTITION ID "+schema.Literal(want.id)+" FROM corrosion."+staging); err != nil {
		return fmt.Errorf("%s: %w", paths(files), err)
	}
	return w.conn.Exec(ctx, "TRUNCATE TABLE corrosion."+staging+" SYNC")
}

func paths(files []File) string {
	var all []string
	for _, f := range files {
		all = append(all, f.Path)
	}
	return strings.Join(all, ", ")
}
