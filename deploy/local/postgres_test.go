package local_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"corrosion/deploy/local"
)

func startPostgres(t *testing.T, dir string) *local.Postgres {
	t.Helper()
	server, err := local.StartPostgres(t.Context(), local.PostgresConfig{Dir: dir, Password: "it's", SuperPassword: "super"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return server
}

func pgValue(t *testing.T, url, statement string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // test
	var value string
	if err := conn.QueryRow(t.Context(), statement).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestPostgresRunsAsAnOrdinaryUserEvenBelowAClosedDirectory(t *testing.T) {
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	server := startPostgres(t, filepath.Join(closed, "postgres"))
	info, err := os.Stat(fmt.Sprintf("/proc/%d", server.PID()))
	if err != nil {
		t.Skip("no /proc on this system")
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid == 0 {
		t.Error("postgres runs as root")
	}
	for statement, want := range map[string]string{
		"SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user": "false",
		"SHOW server_encoding": "UTF8", "SELECT upper('é')": "É",
	} {
		if got := pgValue(t, server.URL(), statement); got != want {
			t.Errorf("%s = %q, want %q", statement, got, want)
		}
	}
	asSuper := fmt.Sprintf("postgres://postgres:super@127.0.0.1:%d/postgres", server.Port())
	for statement, want := range map[string]string{"SHOW listen_addresses": "127.0.0.1", "SHOW unix_socket_directories": ""} {
		if got := pgValue(t, asSuper, statement); got != want {
			t.Errorf("%s = %q, want %q", statement, got, want)
		}
	}
}

func TestPostgresOfTheSystemIsTheFallback(t *testing.T) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(found) == 0 {
		t.Skip("no system PostgreSQL here")
	}
	t.Setenv(local.EnvEngines, t.TempDir())
	server := startPostgres(t, t.TempDir())
	if got := pgValue(t, server.URL(), "SELECT current_database()"); got != local.Database {
		t.Errorf("connected to %q", got)
	}
}

func TestPostgresWithLostSecretsSaysSo(t *testing.T) {
	dir := t.TempDir()
	if err := startPostgres(t, dir).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := local.StartPostgres(t.Context(), local.PostgresConfig{Dir: dir, Password: "a", SuperPassword: "b"})
	if err == nil || !strings.Contains(err.Error(), "secrets.json") {
		t.Errorf("with another password: %v", err)
	}
}

func TestPostgresStartsOverAStaleLockFile(t *testing.T) {
	dir := t.TempDir()
	server := startPostgres(t, dir)
	if err := server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Our own id lives, and is not a server's: as after a restart of the machine.
	lock := filepath.Join(server.DataDir(), "postmaster.pid")
	if err := os.WriteFile(lock, fmt.Appendf(nil, "%d\n%s\n", os.Getppid(), server.DataDir()), 0o666); err != nil {
		t.Fatal(err)
	}
	startPostgres(t, dir)
}
