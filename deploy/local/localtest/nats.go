package localtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"corrosion/deploy/local"
)

// childNATS is the hidden first argument that turns a test binary into a NATS
// server, so that tests can kill it.
const childNATS = "__nats"

// NATSUser is the platform's user, with the password Password.
const NATSUser = "platform"

// NATSServer is a real NATS with JetStream, in a process of its own. Its
// methods fail the test on error.
type NATSServer struct {
	setup  natsSetup
	cmd    *exec.Cmd
	stdin  io.Closer
	url    string
	exited chan error
}

// natsSetup travels to the child in its arguments.
type natsSetup struct {
	Dir      string
	Port     int
	MaxStore int64
	Users    map[string]NATSAccess
}

// NATSAccess is another user's password and rights.
type NATSAccess struct {
	Password    string
	Permissions local.Permissions
}

// NATSOption changes the configuration of NewNATS.
type NATSOption func(*natsSetup)

// WithNATSUser adds a user beside the platform's.
func WithNATSUser(user string, access NATSAccess) NATSOption {
	return func(s *natsSetup) { s.Users[user] = access }
}

// WithNATSMaxStore bounds JetStream's files, in bytes.
func WithNATSMaxStore(bytes int64) NATSOption {
	return func(s *natsSetup) { s.MaxStore = bytes }
}

// NATS returns the server that this test process shares.
func NATS(t testing.TB) *NATSServer {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.nats == nil {
		s := newNATS(shared.sharedDir(t, "nats"))
		s.Start(t)
		shared.nats = s
	}
	return shared.nats
}

// NATSURL is the shared server's URL, of the platform's user.
func NATSURL(t testing.TB) string { t.Helper(); return NATS(t).URL() }

// NewNATS starts a server for this test alone; it stops with the test.
func NewNATS(t testing.TB, options ...NATSOption) *NATSServer {
	t.Helper()
	shared.requireMain(t)
	s := newNATS(t.TempDir())
	for _, option := range options {
		option(&s.setup)
	}
	s.Start(t)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newNATS(dir string) *NATSServer {
	return &NATSServer{setup: natsSetup{Dir: dir, Users: map[string]NATSAccess{}}}
}

// URL is the nats:// URL of the platform's user.
func (s *NATSServer) URL() string { return s.url }

// Port stays the same over Stop, Kill and Start.
func (s *NATSServer) Port() int { return s.setup.Port }

// PID is the server's process, for tests that stop it with signals.
func (s *NATSServer) PID() int { return s.cmd.Process.Pid }

// Start starts a stopped or killed server on the same port and data.
func (s *NATSServer) Start(t testing.TB) {
	t.Helper()
	port := s.setup.Port
	if err := s.start(); err != nil {
		t.Fatal("start nats:", err)
	}
	samePort(t, &port, s.setup.Port)
}

func (s *NATSServer) start() error {
	setup, err := json.Marshal(s.setup)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, childNATS, string(setup))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var ready struct {
		URL  string
		Port int
	}
	readErr := json.NewDecoder(bufio.NewReader(stdout)).Decode(&ready)
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait(); close(exited) }()
	if readErr != nil {
		_ = cmd.Process.Kill()
		<-exited
		return fmt.Errorf("wait for child: %w", readErr)
	}
	s.cmd, s.stdin, s.exited = cmd, stdin, exited
	s.url, s.setup.Port = ready.URL, ready.Port
	return nil
}

// Stop ends the server cleanly.
func (s *NATSServer) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Fatal("stop nats:", err)
	}
}

// Kill ends the server with SIGKILL and waits until it is gone.
func (s *NATSServer) Kill(testing.TB) {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

func (s *NATSServer) stop() error {
	_ = s.stdin.Close()
	ctx, cancel := stopContext()
	defer cancel()
	select {
	case <-s.exited:
		return nil
	case <-ctx.Done():
		_ = s.cmd.Process.Kill()
		<-s.exited
		return ctx.Err()
	}
}

// childMain runs a server instead of the tests when the arguments say so.
func childMain() {
	if len(os.Args) == 4 && os.Args[1] == childStock {
		if err := runStock(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "run a stock nats-server:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) != 3 || os.Args[1] != childNATS {
		return
	}
	if err := runNATS(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "run nats:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runNATS serves until standard input ends.
func runNATS(raw string) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT)
	var setup natsSetup
	if err := json.Unmarshal([]byte(raw), &setup); err != nil {
		return err
	}
	ctx := context.Background()
	server, err := local.StartNATS(ctx, local.NATSConfig{
		Dir: setup.Dir, Port: setup.Port, MaxStore: setup.MaxStore, User: NATSUser, Password: Password,
		Authenticate: func(login local.Login) (*local.Grant, bool) {
			access, known := setup.Users[login.User]
			return &local.Grant{Permissions: access.Permissions}, known && access.Password == login.Password
		},
	})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"URL": server.URL(), "Port": server.Port()}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close(ctx)
}
