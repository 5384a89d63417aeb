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

	"corrosion/schema/connect/stores"
)

const (
	// askPGTables lists tables with the columns that may be written, generated ones left out.
	askPGTables = `SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)
		FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		WHERE s.nspname = current_schema() AND c.relkind = 'r' AND c.relname <> 'schema_migrations'
		GROUP BY c.relname ORDER BY c.relname`
	// askPGEdges lists which table's rows point to which other's.
	askPGEdges = `SELECT DISTINCT k.conrelid::regclass::text, k.confrelid::regclass::text FROM pg_constraint k
		JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace s ON s.oid = c.relnamespace
		WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND s.nspname = current_schema()`
	askPGSequences = `SELECT sequencename::text FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1`
	// askPGSum is a table's rows and the sum of their hashes.
	askPGSum     = `SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM %s AS t`
	askPGVersion = `SHOW server_version`
	lockBackups  = `SELECT pg_try_advisory_lock(hashtext('corrosion backup'), 0)`
	// plainSession makes rows read as the same text wherever they are.
	plainSession = `SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET statement_timeout = 0`
)

// ErrRunning says that another backup is under way.
var ErrRunning = errors.New("another backup or restore is under way with this Postgres")

// registry is Postgres: one connection, which also holds the lock of backups.
type registry struct{ conn *pgx.Conn }

// openRegistry connects and takes the lock.
func openRegistry(ctx context.Context, postgresURL string) (*registry, error) {
	conn, err := stores.PostgresConn(ctx, postgresURL)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	var locked bool
	if _, err = conn.Exec(ctx, plainSession); err == nil {
		err = conn.QueryRow(ctx, lockBackups).Scan(&locked)
	}
	if err == nil && !locked {
		err = ErrRunning
	}
	if err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return &registry{conn}, nil
}

func (r *registry) close(ctx context.Context) { _ = r.conn.Close(context.WithoutCancel(ctx)) }

// pgTable is a table and the columns that can be written.
type pgTable struct {
	name    string
	columns []string
}

// tables lists them so that each comes after those that its rows point to.
func (r *registry) tables(ctx context.Context) ([]pgTable, error) {
	rows, err := r.conn.Query(ctx, askPGTables)
	if err != nil {
		return nil, fmt.Errorf("list tables of Postgres: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t pgTable, err error) { return t, row.Scan(&t.name, &t.columns) })
	if err != nil {
		return nil, fmt.Errorf("list tables of Postgres: %w", err)
	}
	edges := map[string][]string{}
	rows, err = r.conn.Query(ctx, askPGEdges)
	if err != nil {
		return nil, fmt.Errorf("list references of Postgres: %w", err)
	}
	var from, to string
	if _, err = pgx.ForEachRow(rows, []any{&from, &to}, func() error { edges[from] = append(edges[from], to); return nil }); err != nil {
		return nil, fmt.Errorf("list references of Postgres: %w", err)
	}
	return ordered(all, edges)
}

// ordered puts tables after those that they point to.
func ordered(tables []pgTable, edges map[string][]string) ([]pgTable, error) {
	var out []pgTable
	placed := map[string]bool{}
	for len(out) < len(tables) {
		before := len(out)
		for _, t := range tables {
			if !placed[t.name] && !slices.ContainsFunc(edges[t.name], func(to string) bool { return !placed[to] }) {
				placed[t.name] = true
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, errors.New("the tables of Postgres point to each other in a circle")
		}
	}
	return out, nil
}

// begin opens the snapshot that all tables are read in.
func (r *registry) begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := r.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("open a snapshot of Postgres: %w", err)
	}
	return tx, nil
}

// save writes every table, as of one snapshot.
func (r *registry) save(ctx context.Context, target Target, seen func(n int)) (s Store, err error) {
	tx, err := r.begin(ctx)
	if err != nil {
		return s, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := tx.QueryRow(ctx, askPGVersion).Scan(&s.Version); err != nil {
		return s, fmt.Errorf("ask Postgres for its version: %w", err)
	}
	tables, err := r.tables(ctx)
	if err != nil {
		return s, err
	}
	for _, t := range tables {
		saved, err := r.saveTable(ctx, target, t, seen)
		if err != nil {
			return s, fmt.Errorf("back up table %s of Postgres: %w", t.name, err)
		}
		s.Tables = append(s.Tables, saved)
	}
	s.Sequences, err = r.sequences(ctx)
	return s, err
}

func (r *registry) saveTable(ctx context.Context, target Target, t pgTable, seen func(n int)) (Table, error) {
	rows, sum, err := r.sum(ctx, t.name)
	if err != nil {
		return Table{}, err
	}
	file, err := put(ctx, target, "postgres/"+t.name+".copy.zst", seen, func(to io.Writer) error {
		encoder, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		_, err = r.conn.PgConn().CopyTo(ctx, encoder, "COPY "+name(t.name)+" ("+names(t.columns)+") TO STDOUT")
		return errors.Join(err, encoder.Close())
	})
	file.Rows, file.Sum = rows, sum
	return Table{Name: t.name, Columns: t.columns, Files: []File{file}}, err
}

func (r *registry) sum(ctx context.Context, table string) (rows uint64, sum string, err error) {
	err = r.conn.QueryRow(ctx, fmt.Sprintf(askPGSum, name(table))).Scan(&rows, &sum)
	return rows, sum, err
}

// sequences do not belong to the snapshot: they are as they are now, never less.
func (r *registry) sequences(ctx context.Context) ([]Sequence, error) {
	rows, err := r.conn.Query(ctx, askPGSequences)
	if err != nil {
		return nil, fmt.Errorf("list sequences: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list sequences: %w", err)
	}
	var all []Sequence
	for _, one := range list {
		s := Sequence{Name: one}
		if err := r.conn.QueryRow(ctx, "SELECT last_value, is_called FROM "+name(one)).Scan(&s.Last, &s.Called); err != nil {
			return nil, fmt.Errorf("read sequence %s: %w", one, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func name(one string) string { return pgx.Identifier{one}.Sanitize() }

func names(all []string) string {
	quoted := make([]string, len(all))
	for i, one := range all {
		quoted[i] = name(one)
	}
	return strings.Join(quoted, ", ")
}

// quotedNames is a list of ClickHouse's columns.
func quotedNames(all []string) string { return "`" + strings.Join(all, "`, `") + "`" }
