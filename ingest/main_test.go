package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
)

// childIngester is the hidden first argument that turns the test binary into an ingester that tests can kill and stop.
const childIngester = "__ingester"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == childIngester {
		runChild(os.Args[2], os.Args[3])
	}
	if len(os.Args) == 3 && os.Args[1] == benchWorker {
		runBenchWorker(os.Args[2])
	}
	localtest.Main(m)
}

// everyLicense exists.
type everyLicense struct{}

func (everyLicense) Standing(context.Context, uuid.UUID) (Standing, error) {
	return Standing{Known: true}, nil
}

// childConfig is quick to take over, and inserts small batches.
func childConfig(nats, clickhouse string) Config {
	c := DefaultConfig()
	c.NATSURL, c.ClickHouseURL = nats, clickhouse
	c.Streams.MaxBytes = 1 << 30
	c.Retry = RetryConfig{Min: 20 * time.Millisecond, Max: 500 * time.Millisecond}
	c.Partitions.Takeover = time.Second
	c.Batch.MinAge = 20 * time.Millisecond
	return c
}

// runChild works until it is killed or its parent is gone.
func runChild(nats, clickhouse string) {
	i, err := New(childConfig(nats, clickhouse), Deps{
		Licenses: everyLicense{}, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		cancel()
	}()
	_ = i.Run(ctx)
	_ = i.Close()
	os.Exit(0)
}

// child is an ingester in a process of its own.
type child struct {
	*exec.Cmd
	stdin io.Closer
}

func startChild(t testing.TB, nats, clickhouse string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], childIngester, nats, clickhouse)
	if testing.Verbose() {
		cmd.Stderr = t.Output()
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd, stdin}
	t.Cleanup(func() { c.kill(t) })
	return c
}

func (c *child) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := c.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

func (c *child) kill(t testing.TB) {
	t.Helper()
	c.signal(t, syscall.SIGKILL)
	_ = c.Wait() // says that it was killed
}
