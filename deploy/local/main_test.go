package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
)

// childStack turns the test binary into a program that runs a stack on a
// directory until it is killed.
const childStack = "__stack"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childStack {
		runStack(os.Args[2])
	}
	localtest.Main(m)
}

func runStack(dir string) {
	local.ChildMain()
	stack, err := local.Start(context.Background(), configFor(dir))
	if err == nil {
		err = stack.WriteEndpoints("")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pids := []int{stack.ClickHouse().PID(), stack.Postgres().PID()}
	_ = json.NewEncoder(os.Stdout).Encode(pids)
	select {}
}

func configFor(dir string) local.Config {
	config := local.DefaultConfig()
	config.DataDir = dir
	config.NATSPort, config.ClickHousePort, config.ClickHouseHTTPPort, config.PostgresPort = 0, 0, 0, 0
	config.ClickHouseMemory = 1 << 30
	return config
}

// startStack starts everything on dir and stops it with the test.
func startStack(t *testing.T, config local.Config) *local.Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begun := time.Now()
	stack, err := local.Start(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %s", time.Since(begun).Round(time.Millisecond))
	t.Cleanup(func() { closeStack(t, stack) })
	return stack
}

func closeStack(t *testing.T, stack *local.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := stack.Close(ctx); err != nil {
		t.Error(err)
	}
}

// taken listens on a free port for as long as the test runs.
func taken(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// requireMode checks a file's permission bits.
func requireMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
	}
}

// spawnStack runs a stack in a process of its own and returns its engines' ids.
func spawnStack(t *testing.T, dir string) (*exec.Cmd, []int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, childStack, dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var pids []int
	if err := json.NewDecoder(out).Decode(&pids); err != nil {
		t.Fatal("child stack:", err)
	}
	return cmd, pids
}
