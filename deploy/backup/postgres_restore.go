package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"
)

const (
	// askRestored reads the mark of a restore, which stays; no row: nothing was ever migrated.
	askRestored = `SELECT coalesce(obj_description(c.oid, 'pg_class'), '') FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
		WHERE s.nspname = current_schema() AND c.relname = 'schema_migrations'`
	// forgetMarks: they count by block numbers of ClickHouse, which are others now; the aggregator looks at everything anew.
	forgetMarks = `DELETE FROM job_marks`
)

// restoredMark begins the comment on schema_migrations of a restored database.
const restoredMark = "restored from backup "

// SeededTables hold rows from the first migration on.
func SeededTables() []string {
	return []string{"early_access_totals", "founding_slots", "launch_timeline", "roadmap_items"}
}

// look refuses a database with rows of its own.
func (r *registry) look(ctx context.Context, m *Manifest) error {
	restored, err := r.restored(ctx, m)
	if err != nil || restored {
		return err
	}
	tables, err := r.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if slices.Contains(SeededTables(), t.name) {
			continue
		}
		var full bool
		if err := r.conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+name(t.name)+")").Scan(&full); err != nil {
			return fmt.Errorf("look into Postgres: %w", err)
		}
		if full {
			return notEmpty("Postgres has rows in "+t.name, "restore into another, empty database")
		}
	}
	return nil
}

// restored tells whether this backup is in the database already.
func (r *registry) restored(ctx context.Context, m *Manifest) (bool, error) {
	var mark string
	err := r.conn.QueryRow(ctx, askRestored).Scan(&mark)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look into Postgres: %w", err)
	}
	return mark == restoredMark+m.ID.String(), nil
}

// load puts all rows back in one transaction, so that there is nothing half done to go on from.
func (r *registry) load(ctx context.Context, source Target, m *Manifest, rows func(done int64)) error {
	if done, err := r.restored(ctx, m); err != nil || done {
		return err
	}
	tables, err := r.tables(ctx)
	if err != nil {
		return err
	}
	tx, err := r.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := r.bare(ctx, tables, "DISABLE"); err != nil {
		return err
	}
	all := make([]string, len(tables))
	for i, t := range tables {
		all[i] = t.name
	}
	if _, err := tx.Exec(ctx, "TRUNCATE "+names(all)); err != nil { // what migrations put there
		return fmt.Errorf("empty the tables of Postgres: %w", err)
	}
	var done int64
	for _, t := range m.Postgres.Tables { // they lie in the order that references need
		if err := r.loadTable(ctx, source, t); err != nil {
			return fmt.Errorf("table %s of Postgres: %w", t.Name, err)
		}
		done += int64(t.Files[0].Rows)
		rows(done)
	}
	for _, s := range m.Postgres.Sequences {
		if _, err := tx.Exec(ctx, "SELECT setval($1::text::regclass, $2, $3)", name(s.Name), s.Last, s.Called); err != nil {
			return fmt.Errorf("set sequence %s: %w", s.Name, err)
		}
	}
	if _, err := tx.Exec(ctx, forgetMarks); err != nil {
		return fmt.Errorf("forget marks of jobs: %w", err)
	}
	if err := r.bare(ctx, tables, "ENABLE"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "COMMENT ON TABLE schema_migrations IS '"+restoredMark+m.ID.String()+"'"); err != nil {
		return fmt.Errorf("mark the restore: %w", err)
	}
	return tx.Commit(ctx)
}

// bare turns the tables' own triggers off or on: rows come back as they are, logs that only grow included.
func (r *registry) bare(ctx context.Context, tables []pgTable, how string) error {
	var statements strings.Builder
	for _, t := range tables {
		statements.WriteString("ALTER TABLE " + name(t.name) + " " + how + " TRIGGER USER;")
	}
	if _, err := r.conn.Exec(ctx, statements.String()); err != nil {
		return fmt.Errorf("turn triggers off and on: %w", err)
	}
	return nil
}

// loadTable copies a table in and compares its rows and their sum.
func (r *registry) loadTable(ctx context.Context, source Target, t Table) error {
	f := t.Files[0]
	err := openFile(ctx, source, f.Path, func(from io.Reader) error {
		decoder, err := zstd.NewReader(from)
		if err != nil {
			return err
		}
		defer decoder.Close()
		_, err = r.conn.PgConn().CopyFrom(ctx, decoder, "COPY "+name(t.Name)+" ("+names(t.Columns)+") FROM STDIN")
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	rows, sum, err := r.sum(ctx, t.Name)
	if err != nil {
		return err
	}
	if rows != f.Rows || sum != f.Sum {
		return fmt.Errorf("%w: %s gave %d rows with sum %s, want %d and %s", ErrDamaged, f.Path, rows, sum, f.Rows, f.Sum)
	}
	return nil
}
