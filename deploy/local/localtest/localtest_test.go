package localtest

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"testing"
	"time"

	_ "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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
	CheckFor(t, 30*time.Second, 50*time.Millisecond, func() error {
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

func TestNATSKeepsAcknowledgedOverKill(t *testing.T) {
	s := NewNATS(t)
	stream := connectStream(t, s)
	const messages = 5000
	for i := range messages {
		if _, err := stream.PublishAsync("kept.x", []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-stream.PublishAsyncComplete():
	case <-time.After(time.Minute):
		t.Fatal("publishes not acknowledged")
	}
	begun := time.Now()
	s.Kill(t)
	s.Start(t)
	t.Logf("killed and back after %s", time.Since(begun).Round(time.Millisecond))
	CheckFor(t, 10*time.Second, 50*time.Millisecond, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		kept, err := stream.Stream(ctx, "KEPT")
		if err != nil {
			return err
		}
		if n := kept.CachedInfo().State.Msgs; n != messages {
			t.Fatalf("%d messages survived, want %d", n, messages)
		}
		return nil
	})
}

func connectStream(t *testing.T, s *NATSServer) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(s.URL(), nats.ReconnectWait(50*time.Millisecond), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	stream, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(10_000)) // a busy machine answers late
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.CreateStream(t.Context(), jetstream.StreamConfig{Name: "KEPT", Subjects: []string{"kept.>"}}); err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestPostgresKeepsCommittedOverKill(t *testing.T) {
	s := NewPostgres(t)
	s.exec(t, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
	begun := time.Now()
	s.Kill(t)
	s.Start(t)
	t.Logf("killed and back after %s", time.Since(begun).Round(time.Millisecond))
	s.exec(t, "DO $$ BEGIN ASSERT (SELECT count(*) FROM kept) = 1000; END $$")
}

func (s *PostgresServer) exec(t testing.TB, statement string) {
	t.Helper()
	if err := s.try(statement); err != nil {
		t.Fatal(err)
	}
}

// A database is filled once, and its copies are everybody's own.
func TestPostgresCopies(t *testing.T) {
	fills := 0
	var urls []string
	for n := range 3 {
		url := Postgres(t).NewDatabaseFrom(t, func(url string) error {
			fills++
			return tryOn(url, "CREATE TABLE filled AS SELECT 1 AS n")
		})
		if err := tryOn(url, "DO $$ BEGIN ASSERT (SELECT count(*) FROM filled) = 1; END $$; INSERT INTO filled VALUES (2)"); err != nil {
			t.Errorf("copy %d: %v", n, err)
		}
		urls = append(urls, url)
	}
	if slices.Sort(urls); fills != 1 || len(slices.Compact(urls)) != 3 {
		t.Errorf("filled %d times: %d databases", fills, len(slices.Compact(urls)))
	}
}

func TestPostgresURLIsFresh(t *testing.T) {
	if a, b := PostgresURL(t), PostgresURL(t); a == b {
		t.Fatal("two tests share a database")
	}
}
