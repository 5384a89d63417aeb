package local_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
)

// tortureTries is how often each kind of stray client comes to each port.
const tortureTries = 30

// A batch tool would end at the first of these; the server must not notice.
func TestClickHouseOutlivesStrayClients(t *testing.T) {
	server := localtest.NewClickHouse(t)
	native, httpPort := server.Ports()
	pid := server.PID()
	mustExec(t, server, "CREATE TABLE corrosion.torture (a UInt64) ENGINE = MergeTree ORDER BY a")
	attacks := map[string]func() error{
		"wrong native password": func() error { return wrongNativePassword(t.Context(), server.URL()) },
		"wrong http password":   func() error { return wrongHTTPPassword(t.Context(), server.HTTPURL()) },
		"killed insert":         func() error { return killedInsert(t.Context(), native) },
	}
	for name, port := range map[string]int{"native": native, "http": httpPort} {
		attacks["reset on "+name] = func() error { return stray(port, nil, true) }
		attacks["tls hello on "+name] = func() error { return stray(port, tlsHello(), false) }
		attacks["random bytes on "+name] = func() error { return stray(port, randomBytes(4096), false) }
		attacks["random bytes and reset on "+name] = func() error { return stray(port, randomBytes(64), true) }
	}
	var work sync.WaitGroup
	for name, attack := range attacks {
		work.Go(func() {
			for range tortureTries {
				if err := attack(); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	work.Wait()
	if got := httpQuery(t.Context(), server.HTTPURL(), "SELECT 1"); got != "1" {
		t.Errorf("after the torture the server says %q", got)
	}
	if server.PID() != pid {
		t.Errorf("process %d became %d", pid, server.PID())
	}
	mustExec(t, server, "SELECT count() FROM corrosion.torture")
}

func mustExec(t *testing.T, server *localtest.ClickHouseServer, statement string) {
	t.Helper()
	db, err := sql.Open("clickhouse", server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // test
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func wrongNativePassword(ctx context.Context, native string) error {
	db, err := sql.Open("clickhouse", strings.Replace(native, localtest.Password, "wrong", 1))
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // test
	refused := (*clickhouse.Exception)(nil)
	if err := db.PingContext(ctx); !errors.As(err, &refused) || refused.Code != 516 {
		return fmt.Errorf("answered %w, want code 516", err)
	}
	return nil
}

func wrongHTTPPassword(ctx context.Context, url string) error {
	if said := httpQuery(ctx, strings.Replace(url, localtest.Password, "wrong", 1), "SELECT 1"); !strings.Contains(said, "516") {
		return fmt.Errorf("answered %q, want code 516", said)
	}
	return nil
}

// stray connects, sends bytes and goes away, with a reset or after a moment's
// reading.
func stray(port int, send []byte, reset bool) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // test
	_, _ = conn.Write(send)
	if reset {
		return conn.(*net.TCPConn).SetLinger(0)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, _ = io.ReadAll(conn)
	return nil
}

func randomBytes(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.Read(out)
	return out
}

// tlsHello is the beginning of a TLS 1.2 handshake record.
func tlsHello() []byte {
	return append([]byte{0x16, 0x03, 0x01, 0x00, 0xc8, 0x01, 0x00, 0x00, 0xc4, 0x03, 0x03}, randomBytes(32)...)
}

// killedInsert begins an INSERT and cuts the connection in its middle.
func killedInsert(ctx context.Context, port int) error {
	var raw net.Conn
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{fmt.Sprintf("127.0.0.1:%d", port)},
		Auth: clickhouse.Auth{Database: local.Database, Username: local.Database, Password: localtest.Password},
		DialContext: func(ctx context.Context, addr string) (net.Conn, error) {
			var err error
			raw, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			return raw, err
		},
	})
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // test
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO torture")
	if err != nil {
		return err
	}
	for i := range uint64(1000) {
		if err := batch.Append(i); err != nil {
			return err
		}
	}
	if err := batch.Flush(); err != nil {
		return err
	}
	_ = raw.(*net.TCPConn).SetLinger(0)
	_ = raw.Close()
	_ = batch.Abort()
	return nil
}

func TestOperatorReadsWithinBounds(t *testing.T) {
	server := localtest.ClickHouse(t)
	mustExec(t, server, "CREATE TABLE IF NOT EXISTS corrosion.samples (a UInt64) ENGINE = MergeTree ORDER BY a")
	mustExec(t, server, "CREATE DATABASE IF NOT EXISTS other")
	mustExec(t, server, "CREATE TABLE IF NOT EXISTS other.hidden (a UInt64) ENGINE = MergeTree ORDER BY a")
	base, err := url.Parse(server.HTTPURL())
	if err != nil {
		t.Fatal(err)
	}
	base.User = url.UserPassword(local.OperatorUser, localtest.OperatorPassword)
	for _, c := range []struct{ settings, statement, want string }{
		{"", "SELECT count() FROM samples", "0"},
		{"max_execution_time=5", "SELECT count() FROM samples", "0"},
		{"", "SELECT count() FROM samples SETTINGS max_threads = 1", "0"},
		{"max_execution_time=61", "SELECT 1", "Code: 452"},
		{"max_execution_time=0", "SELECT 1", "Code: 452"},
		{"max_memory_usage=0", "SELECT 1", "Code: 452"},
		{"max_result_rows=0", "SELECT 1", "Code: 452"},
		{"readonly=0", "SELECT 1", "Code: 164"},
		{"", "SELECT count() FROM other.hidden", "Code: 497"},
		{"", "INSERT INTO samples VALUES (1)", "Code: 497"},
		{"", "CREATE TABLE mine (a UInt64) ENGINE = Memory", "Code: 497"},
		{"", "DROP TABLE samples", "Code: 497"},
		{"", "SELECT * FROM file('/etc/passwd', LineAsString)", "Code: "},
		{"", "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)", "Code: "},
		{"", "SYSTEM FLUSH LOGS", "Code: "},
		{"", "SYSTEM SHUTDOWN", "Code: "},
	} {
		base.RawQuery = "database=corrosion&" + c.settings
		if got := httpQuery(t.Context(), base.String(), c.statement); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %q answers %q, want %q", c.settings, c.statement, got, c.want)
		}
	}
}

func TestNobodyLogsInAsDefault(t *testing.T) {
	server := localtest.ClickHouse(t)
	_, port := server.Ports()
	for _, statement := range []string{"SELECT 1", "SYSTEM STOP LISTEN HTTP"} {
		answer := httpQuery(t.Context(), fmt.Sprintf("http://127.0.0.1:%d/", port), statement)
		if !strings.Contains(answer, "Code: ") {
			t.Errorf("default without a password says %q to %q", answer, statement)
		}
	}
}

func TestOwnUserHasWhatTheSchemaNeeds(t *testing.T) {
	server := localtest.NewClickHouse(t)
	for _, statement := range []string{
		"CREATE TABLE raw (a UInt64, d Date, t DateTime) ENGINE = MergeTree PARTITION BY d ORDER BY a TTL d + INTERVAL 7 DAY DELETE SETTINGS ttl_only_drop_parts = 1",
		"CREATE TABLE sums (a UInt64, n AggregateFunction(count)) ENGINE = AggregatingMergeTree ORDER BY a",
		"CREATE MATERIALIZED VIEW to_sums TO sums AS SELECT a, countState() AS n FROM raw GROUP BY a",
		"CREATE VIEW plain AS SELECT a, countMerge(n) AS n FROM sums GROUP BY a",
		"CREATE VIEW param AS SELECT * FROM raw WHERE a = {a:UInt64}",
		"CREATE MATERIALIZED VIEW fresh REFRESH EVERY 1 HOUR ENGINE = MergeTree ORDER BY a AS SELECT a FROM raw",
		"CREATE DICTIONARY names (a UInt64, t DateTime) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 'raw' DB 'corrosion' USER 'corrosion' PASSWORD 'test-password')) LAYOUT(HASHED()) LIFETIME(60)",
		"INSERT INTO raw SELECT number, today(), now() FROM numbers(10)",
		"DELETE FROM raw WHERE a = 2",
		"ALTER TABLE raw ADD PROJECTION p (SELECT a, count() GROUP BY a)",
		"ALTER TABLE raw MATERIALIZE PROJECTION p SETTINGS mutations_sync = 2",
		"ALTER TABLE raw UPDATE t = now() WHERE a = 1 SETTINGS mutations_sync = 2",
		"ALTER TABLE raw MODIFY TTL d + INTERVAL 8 DAY DELETE",
		"ALTER TABLE raw DROP PARTITION ID '20200101'",
		"CREATE TABLE beside AS sums", "EXCHANGE TABLES sums AND beside", "ALTER TABLE sums REPLACE PARTITION tuple() FROM beside",
		"OPTIMIZE TABLE raw FINAL", "TRUNCATE TABLE sums", "SYSTEM FLUSH LOGS", "SYSTEM STOP MERGES raw", "SYSTEM START MERGES raw",
		"SYSTEM RELOAD DICTIONARY names", "SYSTEM REFRESH VIEW fresh",
		"KILL QUERY WHERE query_id = 'none'", "SELECT count() FROM system.parts", "SELECT count() FROM system.processes",
		"SELECT count() FROM system.query_log", "SELECT count() FROM system.mutations",
		"CREATE TEMPORARY TABLE mine (a UInt64)",
		"BACKUP DATABASE corrosion TO File('b1')",
		"CREATE DATABASE second", "CREATE TABLE second.t (a UInt64) ENGINE = MergeTree ORDER BY a", "DROP DATABASE second",
	} {
		mustExec(t, server, statement)
	}
	server.Stop(t)
	server.Start(t)
	mustExec(t, server, "SELECT count() FROM raw")
	mustExec(t, server, "SYSTEM FLUSH LOGS")
	mustExec(t, server, "SELECT count() FROM system.query_log")
}

func TestMissingEnginesAreOneClearLine(t *testing.T) {
	t.Setenv(local.EnvEngines, t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := local.StartClickHouse(t.Context(), local.ClickHouseConfig{Dir: t.TempDir(), Password: "x", OperatorPassword: "y"})
	if !errors.Is(err, local.ErrNoEngines) || !strings.Contains(err.Error(), "make engines") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without engines: %v", err)
	}
}

func TestOldClickHouseBinaryIsRefused(t *testing.T) {
	for version, want := range map[string]string{
		"25.7.1.1": "25.8 or newer", "24.12.1": "25.8 or newer", "nonsense": "did not say its version",
	} {
		binary := filepath.Join(t.TempDir(), "clickhouse")
		script := "#!/bin/sh\necho 'ClickHouse local version " + version + " (official build).'\n"
		if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := local.StartClickHouse(t.Context(), local.ClickHouseConfig{Dir: t.TempDir(), Binary: binary})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("version %s: %v, want %q", version, err, want)
		}
	}
}
