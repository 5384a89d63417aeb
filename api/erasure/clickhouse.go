package erasure

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema/connect/stores"
)

const (
	// licenseTables are the tables that hold rows of licenses, samples first: what is made from them at insert or by a
	// refreshed view comes after. What a backup clones is dropped when it has been read, and not merged until then.
	licenseTables = `SELECT DISTINCT t.name FROM system.tables AS t INNER JOIN system.columns AS c ON c.database = t.database AND c.table = t.name ` +
		`WHERE t.database = 'corrosion' AND t.engine LIKE '%MergeTree' AND c.name = 'license_id' AND NOT startsWith(t.name, 'backup_') ORDER BY t.name != 'samples', t.name`
	// The tables' names come from ClickHouse itself.
	countRows = `SELECT count() FROM corrosion.{table:Identifier} WHERE license_id = {license:UUID}`
	// A mutation writes the parts anew without the rows; mutations_sync 2 waits for every replica.
	deleteRows = "ALTER TABLE corrosion.`%s` DELETE WHERE license_id = '%s' SETTINGS mutations_sync = 2"
)

// tablesOf are the tables of one server that hold rows of licenses.
func tablesOf(ctx context.Context, conn driver.Conn) (names []string, err error) {
	rows, err := conn.Query(ctx, licenseTables)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list tables: %w", err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// eraseClickHouse deletes where there are rows and waits until the parts are rewritten. ClickHouse keeps the files of the
// old parts for some minutes (old_parts_lifetime) before it unlinks them.
func (w *Worker) eraseClickHouse(ctx context.Context, license uuid.UUID, found Counts) error {
	shards, err := stores.Shards(ctx, w.deps.ClickHouse)
	if err != nil {
		return fmt.Errorf("erase from ClickHouse: %w", err)
	}
	erased := Counts{} // of all shards together, also where one fails
	defer func() {
		for place, n := range erased {
			note(found, place, n)
		}
	}()
	for _, shard := range shards {
		if err := eraseShard(ctx, shard, license, erased); err != nil {
			return err
		}
	}
	return nil
}

func eraseShard(ctx context.Context, conn driver.Conn, license uuid.UUID, erased Counts) error {
	tables, err := tablesOf(ctx, conn)
	if err != nil {
		return err
	}
	for _, table := range tables {
		n, err := count(ctx, conn, table, license)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if err := conn.Exec(ctx, fmt.Sprintf(deleteRows, table, license)); err != nil {
			return fmt.Errorf("delete from %s: %w", table, err)
		}
		erased["clickhouse."+table] += n
	}
	return nil
}

func count(ctx context.Context, conn driver.Conn, table string, license uuid.UUID) (n uint64, err error) {
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"table": table, "license": license.String()}))
	if err := conn.QueryRow(ctx, countRows).Scan(&n); err != nil {
		return 0, fmt.Errorf("count %s: %w", table, err)
	}
	return n, nil
}
