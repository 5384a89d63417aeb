// Package localtest gives tests real ClickHouse, PostgreSQL and NATS servers.
//
// A test package that uses it has this TestMain:
//
//	func TestMain(m *testing.M) { localtest.Main(m) }
//
// Servers that a whole test process shares start with their first use, in a
// temporary directory and on free ports, and stop when the tests are over.
// NewClickHouse, NewPostgres and NewNATS give a test one of its own, which it
// may stop, kill and start again.
package localtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"corrosion/deploy/local"
)

const (
	startLimit = 90 * time.Second
	stopLimit  = 20 * time.Second
)

// shared holds the servers of this test process.
var shared process

type process struct {
	mu         sync.Mutex
	main       bool // Main was called
	dir        string
	clickhouse *ClickHouseServer
	shards     []*ClickHouseServer // beside clickhouse
	nats       *NATSServer
	postgres   *PostgresServer
}

// Main runs the tests, stops the shared servers, looks for leaked goroutines
// and exits. In the child process of a server it runs that server instead.
func Main(m *testing.M, options ...goleak.Option) {
	local.ChildMain()
	childMain()
	shared.main = true
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "localtest: stop shared servers:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintln(os.Stderr, "localtest: leaked goroutines:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// requireMain fails a test whose package would run itself again as a server.
func (p *process) requireMain(t testing.TB) {
	t.Helper()
	if !p.main {
		t.Fatal("TestMain must be func TestMain(m *testing.M) { localtest.Main(m) }")
	}
}

// SharedDir is the path of a directory that all tests of the package may share; it is gone after the last of them. The
// caller makes it.
func SharedDir(t testing.TB, name string) string {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	return shared.sharedDir(t, name)
}

// sharedDir returns a directory for one shared server.
func (p *process) sharedDir(t testing.TB, name string) string {
	t.Helper()
	p.requireMain(t)
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "corrosion-test-")
		if err != nil {
			t.Fatal(err)
		}
		p.dir = dir
	}
	return p.dir + "/" + name
}

func (p *process) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	if p.clickhouse != nil {
		err = errors.Join(err, p.clickhouse.stop())
	}
	for _, s := range p.shards {
		err = errors.Join(err, s.stop())
	}
	if p.nats != nil {
		err = errors.Join(err, p.nats.stop())
	}
	if p.postgres != nil {
		err = errors.Join(err, p.postgres.stop())
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
	return err
}

// CheckFor polls f every step until it returns nil, or fails the test with its
// last error after total.
func CheckFor(t testing.TB, total, step time.Duration, f func() error) {
	t.Helper()
	end := time.NewTimer(total)
	defer end.Stop()
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-end.C:
			t.Fatalf("not within %s: %v", total, err)
		case <-tick.C:
		}
	}
}

func startContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), startLimit)
}

func stopContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), stopLimit)
}

// samePort remembers a server's port, and fails when a restart moved it.
func samePort(t testing.TB, kept *int, now int) {
	t.Helper()
	if *kept != 0 && *kept != now {
		t.Fatalf("port %d is taken by another process", *kept)
	}
	*kept = now
}
