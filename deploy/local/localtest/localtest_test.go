package localtest

import (
	"database/sql"
	"testing"
	"time"

	_ "github.com/ClickHouse/clickhouse-go/v2"
)

func TestMain(m *testing.M) { Main(m) }

func TestClickHouseKeepsDataOverKill(t *testing.T) {
	s := NewClickHouse(t)
	db, err := sql.Open("clickhouse", s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // test
	for _, statement := range []string{
		"CREATE TABLE corrosion.t (a UInt64) ENGINE = MergeTree ORDER BY a",
		"INSERT INTO corrosion.t SELECT number FROM numbers(1000)",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	s.Kill(t)
	s.Start(t)
	t.Logf("killed and back after %s", time.Since(begun).Round(time.Millisecond))
	var rows int
	CheckFor(t, 5*time.Second, 50*time.Millisecond, func() error {
		return db.QueryRow("SELECT count() FROM corrosion.t").Scan(&rows)
	})
	if rows != 1000 {
		t.Fatalf("%d rows survived, want 1000", rows)
	}
	begun = time.Now()
	s.Stop(t)
	t.Logf("stopped after %s", time.Since(begun).Round(time.Millisecond))
}

func TestShared(t *testing.T) {
	if ClickHouseURL(t) != ClickHouse(t).URL() {
		t.Fatal("two shared servers")
	}
}
