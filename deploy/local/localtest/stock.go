package localtest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childStock is the hidden first argument that makes a test binary run a stock
// nats-server for as long as its own standard input is open.
const childStock = "__stocknats"

// StockNATS is an unchanged nats-server with nothing but a configuration file,
// as an operator runs it. Its methods fail the test on error.
type StockNATS struct {
	binary, dir string
	port        int
	cmd         *exec.Cmd
	stdin       io.Closer
	exited      chan error
}

// NewStockNATS builds the server from the pinned module and runs it with
// config, to which listen, the log file and JetStream's directory are added;
// it stops with the test.
func NewStockNATS(t testing.TB, config string) *StockNATS {
	t.Helper()
	shared.requireMain(t)
	s := &StockNATS{binary: Build(t, "github.com/nats-io/nats-server/v2"), dir: t.TempDir()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	config += fmt.Sprintf("\nlisten: %q\nlog_file: %q\njetstream { store_dir: %q }\n", s.Addr(), s.logFile(), filepath.Join(s.dir, "jetstream"))
	if err := os.WriteFile(s.configFile(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// Build builds the program of a main package once for this test process, as it
// is shipped: without the race detector. It returns the executable.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	binary := shared.sharedDir(t, "program-"+strings.ReplaceAll(pkg, "/", "-"))
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, pkg).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return binary
}

func (s *StockNATS) configFile() string { return filepath.Join(s.dir, "nats-server.conf") }
func (s *StockNATS) logFile() string    { return filepath.Join(s.dir, "nats-server.log") }

// Addr is the server's host and port; it stays the same over Stop and Start.
func (s *StockNATS) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL is the server's URL without a user.
func (s *StockNATS) URL() string { return "nats://" + s.Addr() }

// Log is what the server has written so far.
func (s *StockNATS) Log(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile(s.logFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Start starts a stopped server on the same port and data, and returns once it
// accepts connections.
func (s *StockNATS) Start(t testing.TB) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(self, childStock, s.binary, s.configFile())
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.cmd.Stderr = os.Stderr
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited, cmd := make(chan error, 1), s.cmd
	go func() { exited <- cmd.Wait(); close(exited) }()
	s.exited = exited
	CheckFor(t, startLimit, 10*time.Millisecond, func() error {
		select {
		case err := <-exited:
			t.Fatalf("nats-server ended: %v", err)
		default:
		}
		return s.greets()
	})
}

// greets tells whether the server says its first word.
func (s *StockNATS) greets() error {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(conn, first); err != nil || string(first) != "INFO " {
		return fmt.Errorf("nats-server says %q: %w", first, err)
	}
	return nil
}

// Stop ends the server; a second call does nothing.
func (s *StockNATS) Stop(t testing.TB) {
	t.Helper()
	_ = s.stdin.Close()
	ctx, cancel := stopContext()
	defer cancel()
	select {
	case <-s.exited:
	case <-ctx.Done():
		_ = s.cmd.Process.Kill()
		<-s.exited
		t.Error("nats-server did not stop")
	}
}

// runStock runs the server until standard input ends.
func runStock(binary, config string) error {
	cmd := exec.Command(binary, "-c", config)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	parent := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(parent) }()
	select {
	case err := <-ended:
		return fmt.Errorf("%s ended by itself: %w", filepath.Base(binary), err)
	case <-parent:
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		return nil
	}
}
