package backup

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/schema/cluster"
	"corrosion/schema/schematest"
)

// What is said to ClickHouse about replicated tables, which the packaged engine cannot have: the clone of each table is its
// plain kind, and holds what the table holds; parts are waited for.
func TestClonesOfReplicatedTables(t *testing.T) {
	conn := schematest.ClickHouse(t)
	asReplicated := strings.Replace(askTables, "FROM system.tables", "FROM (SELECT database, name, concat('Replicated', engine) AS engine, engine_full FROM system.tables)", 1)
	rows, err := conn.Query(t.Context(), asReplicated)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var tables []source
	for rows.Next() {
		var one source
		if err := rows.Scan(&one.name, &one.engine); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, one)
	}
	if len(tables) < 10 {
		t.Fatalf("tables are %v", tables)
	}
	if err := conn.Exec(t.Context(), "INSERT INTO corrosion.samples (license_id, server_id, ts, received_at) SELECT generateUUIDv4(), 's', now64(3) - number * 3600, now64(3) FROM numbers(50)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = thaw(context.Background(), conn) })
	for _, one := range tables {
		if !strings.Contains(one.engine, "MergeTree") || strings.Contains(one.engine, "Replicated") {
			t.Errorf("the clone of %s is made with %q", one.name, one.engine)
		}
		if err := conn.Exec(t.Context(), one.clone()); err != nil {
			t.Errorf("%s: %v", one.clone(), err)
		}
	}
	var was, is uint64
	if err := conn.QueryRow(t.Context(), "SELECT (SELECT count() FROM corrosion.samples), (SELECT count() FROM corrosion.backup_samples)").Scan(&was, &is); err != nil || was != is || was < 50 {
		t.Errorf("%d rows, the clone has %d: %v", was, is, err)
	}
	pair := shard{number: 1, conn: conn, replicas: []driver.Conn{conn, conn}}
	waits := pair.catchUp([]source{{"samples", " ENGINE = MergeTree"}, {"plain", ""}})
	if len(waits) != 1 {
		t.Fatalf("statements are %q", waits)
	}
	var refused *clickhouse.Exception
	if err := conn.Exec(t.Context(), waits[0]); !errors.As(err, &refused) || !strings.Contains(refused.Message, "not replicated") {
		t.Errorf("%s: %v", waits[0], err)
	}
}

// The rows of a shard are asked of any server, under names that cannot lead out of a literal.
func TestRowsOfAShard(t *testing.T) {
	w := &warehouse{cluster: "shards", shards: make([]shard, 2)}
	table := &Table{Name: "samples", Columns: []string{"a", "b"}}
	got := w.rows(shard{number: 2}, table, "2026'")
	if want := "SELECT `a`, `b` FROM cluster('shards', 'corrosion_shard', 'backup_samples') WHERE _partition_id = '2026\\'' AND _shard_num = 2"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := cluster.OwnSQL(w.rows(shard{}, table, "1")), "SELECT `a`, `b` FROM corrosion_shard.backup_samples WHERE _partition_id = '1'"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, statement := range []string{askTables, askClones, askColumns, source{name: "x"}.clone()} {
		if own := cluster.OwnSQL(statement); strings.Contains(own, "'corrosion'") || strings.Contains(own, "corrosion.") {
			t.Errorf("asked of a shard: %s", own)
		}
	}
}

// Sums of files wrap as ClickHouse's do.
func TestFilesTogether(t *testing.T) {
	table := Table{Files: []File{{Path: "1", Partition: "a", Rows: 1, Sum: "18446744073709551615"}, {Path: "2", Partition: "b", Rows: 7, Sum: "5"}, {Path: "3", Partition: "a", Rows: 2, Sum: "3"}}}
	parts := table.partitions()
	if len(parts) != 2 || mark(parts[0]) != "1" || mark(parts[1]) != "2" {
		t.Fatalf("partitions are %v", parts)
	}
	if got, want := together(parts[0]), (partition{"a", 3, "2"}); got != want {
		t.Errorf("together %v, want %v", got, want)
	}
}
