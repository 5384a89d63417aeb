package installation_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"corrosion/deploy/agent"
	"corrosion/deploy/local/localtest"
)

// asAgent makes the test binary be an agent, so that tests can kill it; its value is a childAgent.
const asAgent = "CORROSION_TEST_AS_AGENT"

func TestMain(m *testing.M) {
	if text := os.Getenv(asAgent); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, "agent:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	localtest.Main(m)
}

// childAgent is how an agent in a process of its own runs.
type childAgent struct {
	Credentials string
	Dir         string
	// DieAt is the point of the work at which it is killed; "" = it lives.
	DieAt string
	// Skew is how far its clock is ahead.
	Skew time.Duration
}

// agentConfig has bounds for tests.
func agentConfig(c childAgent) (agent.Config, error) {
	flags := agent.Flags{Plugins: c.Dir, Credentials: c.Credentials}
	credentials, err := agent.ReadCredentials(c.Credentials)
	if err != nil {
		return agent.Config{}, err
	}
	flags.License, flags.ServerID = credentials.License.String(), credentials.ServerID
	config, err := flags.Config(func(string) string { return "" })
	config.Heartbeat = 300 * time.Millisecond
	config.Download = agent.DownloadConfig{MaxBytes: 8 << 20, Total: 20 * time.Second, Window: 2 * time.Second, MinBytes: 100, Tries: 2, Wait: 10 * time.Millisecond}
	config.Now = func() time.Time { return time.Now().Add(c.Skew) }
	config.Logger = slog.New(slog.DiscardHandler)
	return config, err
}

// runChild is an agent until standard input ends.
func runChild(text string) error {
	var c childAgent
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	config, err := agentConfig(c)
	if err != nil {
		return err
	}
	config.Reached = func(point string) {
		if point == c.DieAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until it is gone
		}
	}
	a, err := agent.New(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	fmt.Println("running")
	return a.Run(ctx)
}

// child is an agent in a process of its own.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan error
}

// start runs a server's agent in a process of its own.
func (w *world) start(server string, change func(*childAgent)) *child {
	w.t.Helper()
	c := childAgent{Credentials: w.credentials(server), Dir: w.plugins(server)}
	if change != nil {
		change(&c)
	}
	text, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asAgent+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	p := &child{t: w.t, cmd: cmd, stdin: stdin, exited: make(chan error, 1)}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "running\n" {
		w.t.Fatalf("the agent said %q: %v", line, err)
	}
	go func() { p.exited <- cmd.Wait(); close(p.exited) }()
	w.t.Cleanup(func() { p.kill() })
	return p
}

// kill ends the agent at once.
func (p *child) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	_ = p.stdin.Close()
}

// died waits until the agent has ended by itself.
func (p *child) died() {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatal("the agent lives on")
	}
}
