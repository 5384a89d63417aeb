package local_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
)

// useEndpoints asks every service something with the credentials in its URL.
func useEndpoints(ctx context.Context, e local.Endpoints) error {
	conn, err := nats.Connect(e.NATS)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	conn.Close()
	db, err := sql.Open("clickhouse", e.ClickHouseNative)
	if err != nil {
		return fmt.Errorf("clickhouse native: %w", err)
	}
	defer db.Close() //nolint:errcheck // test
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("clickhouse native: %w", err)
	}
	if said := httpQuery(ctx, e.ClickHouseHTTP, "SELECT currentDatabase()"); said != "corrosion" {
		return fmt.Errorf("clickhouse http: %s", said)
	}
	pg, err := pgx.Connect(ctx, e.Postgres)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return pg.Close(ctx)
}

// httpQuery returns ClickHouse's answer, or what went wrong.
func httpQuery(ctx context.Context, url, statement string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(statement))
	if err != nil {
		return err.Error()
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close() //nolint:errcheck // test
	body, _ := io.ReadAll(answer.Body)
	return strings.TrimSpace(string(body))
}

func TestStackStartsRefusesASecondAndStartsAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	config := configFor(dir)
	var mu sync.Mutex
	phases := map[string]int{}
	config.Progress = func(e local.Event) {
		mu.Lock()
		defer mu.Unlock()
		phases[e.Service+" "+e.Phase]++
	}
	stack := startStack(t, config)
	if err := stack.WriteEndpoints("http://127.0.0.1:8080"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secrets.json", "endpoints.json", "lock", "clickhouse/users.xml"} {
		requireMode(t, filepath.Join(dir, name), 0o600)
	}
	endpoints, err := local.ReadEndpoints(dir)
	if err != nil || endpoints != stack.Endpoints() || endpoints.HTTP == "" || endpoints.Operator.User != "operator" {
		t.Fatalf("endpoints.json holds %+v (%v)", endpoints, err)
	}
	if err := useEndpoints(t.Context(), endpoints); err != nil {
		t.Fatal(err)
	}
	requireHeld(t, config)
	closeStack(t, stack)
	closeStack(t, stack)
	if _, err := local.ReadEndpoints(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("endpoints.json after a clean stop: %v", err)
	}
	for _, service := range []string{"nats", "clickhouse", "postgres"} {
		for _, phase := range []string{"starting", "ready", "stopping", "stopped"} {
			if phases[service+" "+phase] != 1 {
				t.Errorf("%d events %q of %s, want 1", phases[service+" "+phase], phase, service)
			}
		}
	}
	begun := time.Now()
	again := startStack(t, configFor(dir))
	t.Logf("second start took %s", time.Since(begun))
	if err := useEndpoints(t.Context(), again.Endpoints()); err != nil {
		t.Error(err)
	}
}

func requireHeld(t *testing.T, config local.Config) {
	t.Helper()
	_, err := local.Start(t.Context(), config)
	held := (*local.HeldError)(nil)
	if !errors.As(err, &held) {
		t.Fatalf("second instance: %v, want a HeldError", err)
	}
	if held.PID != os.Getpid() || time.Since(held.Since) > time.Minute {
		t.Errorf("second instance hears %q", err)
	}
}

func TestCrashedEnginesComeBackOnTheirPorts(t *testing.T) {
	stack := startStack(t, configFor(t.TempDir()))
	before := stack.Endpoints()
	clickhouse, postgres := stack.ClickHouse().PID(), stack.Postgres().PID()
	for _, pid := range []int{clickhouse, postgres} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	localtest.CheckFor(t, 15*time.Second, 50*time.Millisecond, func() error {
		if stack.ClickHouse().PID() == clickhouse || stack.Postgres().PID() == postgres {
			return errors.New("an engine is still away")
		}
		return useEndpoints(t.Context(), before)
	})
}

func TestStackStartsAfterItsProcessWasKilled(t *testing.T) {
	dir := t.TempDir()
	cmd, pids := spawnStack(t, dir)
	before, err := local.ReadEndpoints(dir)
	if err != nil {
		t.Fatal(err)
	}
	pg, err := pgx.Connect(t.Context(), before.Postgres) // a backend that outlives its server
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close(context.Background())                       //nolint:errcheck // its server is gone
	db, err := sql.Open("clickhouse", before.ClickHouseNative) // makes that engine take its time to end
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // its server is gone
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	stack := startStack(t, configFor(dir))
	if err := useEndpoints(t.Context(), stack.Endpoints()); err != nil {
		t.Error(err)
	}
	localtest.CheckFor(t, 15*time.Second, 50*time.Millisecond, func() error {
		for _, pid := range pids {
			if syscall.Kill(pid, 0) == nil {
				return fmt.Errorf("engine %d of the killed process still runs", pid)
			}
		}
		return nil
	})
}

func TestTakenPortsAreStepped(t *testing.T) {
	config := configFor(t.TempDir())
	config.NATSPort, config.ClickHousePort, config.ClickHouseHTTPPort, config.PostgresPort = taken(t), taken(t), taken(t), taken(t)
	stack := startStack(t, config)
	if err := useEndpoints(t.Context(), stack.Endpoints()); err != nil {
		t.Fatal(err)
	}
	native, http := stack.ClickHouse().Ports()
	for _, pair := range [][2]int{{config.NATSPort, stack.NATS().Port()}, {config.ClickHousePort, native},
		{config.ClickHouseHTTPPort, http}, {config.PostgresPort, stack.Postgres().Port()}} {
		if pair[0] == pair[1] {
			t.Errorf("port %d was taken and is used", pair[0])
		}
	}
}

func TestGivenURLsAreUsedAndNotStarted(t *testing.T) {
	config := configFor(t.TempDir())
	config.NATSURL, config.PostgresURL = "nats://a:b@example.test:4222", "postgres://a:b@example.test/x"
	config.ClickHouseURL = "clickhouse://a:b@example.test:9000/x"
	config.ClickHouseHTTPURL = "http://a:b@example.test:8124/?database=x"
	want := local.Endpoints{NATS: config.NATSURL, Postgres: config.PostgresURL, ClickHouseNative: config.ClickHouseURL, ClickHouseHTTP: config.ClickHouseHTTPURL}
	stack := startStack(t, config)
	if got := stack.Endpoints(); got != want {
		t.Errorf("endpoints %+v, want %+v", got, want)
	}
	if stack.NATS() != nil || stack.ClickHouse() != nil || stack.Postgres() != nil {
		t.Error("a service with a URL was started")
	}
}

func TestValidateNamesEveryFaultAndNoPassword(t *testing.T) {
	config := local.Config{NATSPort: -1, NATSURL: "http://u:hush@host", PostgresURL: "postgres://u:hush@"}
	err := config.Validate()
	for _, want := range []string{"data directory", "NATS port", "memory", "NATS store", "NATS URL", "PostgreSQL URL"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no fault about %q in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("a password in: %v", err)
	}
	if err := local.DefaultConfig().Validate(); err != nil {
		t.Errorf("default settings: %v", err)
	}
}
