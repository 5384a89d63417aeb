package localtest

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"corrosion/deploy/local"
)

// PostgresServer is a real PostgreSQL with the role and database corrosion.
// Its methods fail the test on error.
type PostgresServer struct {
	config local.PostgresConfig
	server *local.Postgres
	made   atomic.Int64 // databases made by NewDatabase

	filling sync.Mutex
	filled  string // the database that NewDatabaseFrom copies
}

// Postgres returns the server that this test process shares.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.postgres == nil {
		s := newPostgres(shared.sharedDir(t, "postgres"))
		// Nobody pulls the plug on a shared test server: no waiting for the disk.
		s.config.Settings = map[string]string{"fsync": "off", "full_page_writes": "off"}
		s.Start(t)
		shared.postgres = s
	}
	return shared.postgres
}

// PostgresURL makes a fresh, empty database on the shared server and returns
// its URL; the database goes when the test ends.
func PostgresURL(t testing.TB) string { t.Helper(); return Postgres(t).NewDatabase(t) }

// NewPostgres starts a server for this test alone; it stops with the test.
func NewPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	shared.requireMain(t)
	s := newPostgres(t.TempDir())
	s.Start(t)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newPostgres(dir string) *PostgresServer {
	return &PostgresServer{config: local.PostgresConfig{Dir: dir, Password: Password, SuperPassword: Password, NoRestart: true}}
}

// URL is the postgres:// URL of the role and database corrosion.
func (s *PostgresServer) URL() string { return s.server.URL() }

// Port stays the same over Stop, Kill and Start.
func (s *PostgresServer) Port() int { return s.server.Port() }

// PID is the server's first process, for tests that stop it with signals.
func (s *PostgresServer) PID() int { return s.server.PID() }

// NewDatabase makes an empty database and returns its URL; the database goes
// when the test ends.
func (s *PostgresServer) NewDatabase(t testing.TB) string {
	t.Helper()
	return s.newDatabase(t, "")
}

// NewDatabaseFrom makes one like NewDatabase that has what fill puts into a
// database: a copy of one that is filled at the first call, so that every call
// of a process fills the same.
func (s *PostgresServer) NewDatabaseFrom(t testing.TB, fill func(url string) error) string {
	t.Helper()
	return s.newDatabase(t, " TEMPLATE "+s.template(t, fill))
}

func (s *PostgresServer) newDatabase(t testing.TB, options string) string {
	t.Helper()
	name := s.create(t, options)
	t.Cleanup(func() {
		// An autovacuum worker, whom only a superuser may end, holds a database for a moment.
		CheckFor(t, stopLimit, 100*time.Millisecond, func() error { return s.try("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
	})
	return s.database(t, name)
}

// create makes a database; the server itself waits for whoever has just filled its template.
func (s *PostgresServer) create(t testing.TB, options string) (name string) {
	t.Helper()
	name = fmt.Sprintf("test_%d", s.made.Add(1))
	if err := s.try("CREATE DATABASE " + name + options); err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *PostgresServer) database(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func (s *PostgresServer) template(t testing.TB, fill func(url string) error) string {
	t.Helper()
	s.filling.Lock()
	defer s.filling.Unlock()
	if s.filled == "" {
		name := s.create(t, "")
		if err := fill(s.database(t, name)); err != nil {
			t.Fatal(err)
		}
		s.filled = name
	}
	return s.filled
}

func (s *PostgresServer) try(statement string) error { return tryOn(s.URL(), statement) }

func tryOn(url, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // test
	_, err = conn.Exec(ctx, statement)
	return err
}

// Start starts a stopped or killed server on the same port and data.
func (s *PostgresServer) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := startContext()
	defer cancel()
	server, err := local.StartPostgres(ctx, s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	samePort(t, &s.config.Port, server.Port())
}

// Stop ends the server cleanly.
func (s *PostgresServer) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server with SIGKILL and waits until it is gone.
func (s *PostgresServer) Kill(testing.TB) { s.server.Kill() }

func (s *PostgresServer) stop() error {
	ctx, cancel := stopContext()
	defer cancel()
	return s.server.Close(ctx)
}
