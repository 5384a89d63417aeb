package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"corrosion/deploy/local"
	"corrosion/schema/sqlaccess"
)

// Both ways to make readers open the same tables.
func TestReadersReadTheSame(t *testing.T) {
	if !slices.Equal(local.ReadableTables(), sqlaccess.Tables()) || !slices.Equal(local.ReadableViews(), sqlaccess.Views()) {
		t.Error("deploy/local and schema/sqlaccess disagree on what may be read")
	}
}

// An operator gives a license SQL access by the command line, and it holds over a restart.
func TestSQLAccessByCommand(t *testing.T) {
	data := t.TempDir()
	p := startPlatformOn(t, data)
	var made struct {
		LicenseID string `json:"license_id"`
	}
	if err := json.Unmarshal([]byte(p.corrosion("license", "create", "--name", "x")), &made); err != nil {
		t.Fatal(err)
	}
	login := func(flags ...string) (l sqlLogin) {
		t.Helper()
		if err := json.Unmarshal([]byte(p.corrosion(append([]string{"license", "sql-access", "--license", made.LicenseID}, flags...)...)), &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	first := login()
	ask := func(l sqlLogin) string {
		t.Helper()
		var out lockedBuffer
		_, host, _ := strings.Cut(p.ClickHouseHTTP, "@")
		target := "http://" + l.User + ":" + l.Password + "@" + host
		if _, err := runSQL(t.Context(), target, "TSV", "SELECT license_id FROM corrosion.user_licenses", nil, &out); err != nil {
			return err.Error()
		}
		return strings.TrimSpace(out.String())
	}
	if got := ask(first); got != made.LicenseID || strings.Contains(first.HTTP, "@") {
		t.Errorf("%+v sees %q", first, got)
	}
	if info, err := os.Stat(filepath.Join(data, "readers.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("readers.json: %v %v", info, err)
	}
	second := login("--rotate")
	if ask(first) != "" || ask(second) != made.LicenseID {
		t.Errorf("rotated: the old login sees %q, the new one %q", ask(first), ask(second))
	}
	p.Stop()
	p = startPlatformOn(t, data)
	if got := ask(first); !strings.Contains(got, "AUTHENTICATION_FAILED") {
		t.Errorf("after a restart the old login still signs in: %q", got)
	}
	if again := login(); ask(second) != made.LicenseID || again.User != second.User || again.Password != second.Password { // ports may differ
		t.Errorf("after a restart the login sees %q, and is %s", ask(second), again.User)
	}
	p.corrosion("license", "sql-access", "--license", made.LicenseID, "--revoke")
	if got := ask(second); got != "" {
		t.Errorf("revoked, it sees %q", got)
	}
	if code, _, stderr := p.try("license", "sql-access", "--license", made.LicenseID, "--revoke"); code != 1 || !strings.Contains(stderr, "no SQL access") {
		t.Errorf("revoked twice: %d %s", code, stderr)
	}
	checkOperator(t, p)
}

// checkOperator: the user operator reads what it is to, within bounds that it cannot lift, and nothing else.
func checkOperator(t *testing.T, p *platform) {
	t.Helper()
	for _, query := range []string{"SELECT count() FROM corrosion.samples", "SELECT count() FROM corrosion.hourly", "SELECT count() FROM corrosion.samples_hourly",
		"SELECT count() FROM corrosion.metrics_hourly", "SELECT count() FROM corrosion.network_hourly", "SELECT 1 SETTINGS max_execution_time = 5, max_threads = 1"} {
		if code, _, stderr := p.try("sql", query); code != 0 {
			t.Errorf("operator may not %q: %s", query, stderr)
		}
	}
	for _, query := range []string{"SELECT * FROM corrosion.message_ids", "SELECT * FROM corrosion.user_licenses", "SELECT * FROM corrosion.healing", "SELECT * FROM system.query_log",
		"SELECT * FROM system.parts", "SELECT * FROM system.processes", "SELECT file('/etc/passwd')", "SELECT * FROM file('/etc/passwd', 'LineAsString')",
		"SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'x String')", "SELECT * FROM remote('127.0.0.1', corrosion.samples)",
		"SELECT 1 SETTINGS max_execution_time = 61", "SELECT 1 SETTINGS max_result_rows = 1000001", "SELECT 1 SETTINGS max_memory_usage = 0",
		"SELECT number FROM numbers(1000001)", "SELECT 1 SETTINGS readonly = 0", "INSERT INTO corrosion.samples (server_id) VALUES ('x')",
		"ALTER TABLE corrosion.samples DELETE WHERE 1", "SYSTEM FLUSH LOGS", "KILL QUERY WHERE 1", "CREATE TEMPORARY TABLE x (a UInt8)"} {
		if code, out, stderr := p.try("sql", query); code != 1 || !strings.Contains(stderr, "clickhouse says: Code: ") {
			t.Errorf("operator may %q: exit %d, %.200s %s", query, code, out, stderr)
		}
	}
}
