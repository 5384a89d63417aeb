package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	probeEvery  = 25 * time.Millisecond
	probeLimit  = 2 * time.Second
	startLimit  = 60 * time.Second
	stopLimit   = 15 * time.Second
	backoffBase = 100 * time.Millisecond
	backoffCap  = 10 * time.Second
	// steadyAfter is how long a process must have run for its next crash to
	// count as the first one again.
	steadyAfter = time.Minute
)

// engine is what a daemon needs to know about the process that it keeps.
type engine interface {
	// command prepares a start and returns the process to run.
	command(context.Context) (*exec.Cmd, error)
	// stop asks a running process to end cleanly.
	stop(*exec.Cmd)
	// ping returns nil once the process answers an authenticated request.
	ping(context.Context) error
	// complaint returns what the process wrote when it failed, if anything.
	complaint() string
}

// hopelessError is a ping's answer that more waiting will not change.
type hopelessError struct{ reason string }

func (e *hopelessError) Error() string { return e.reason }

// daemon keeps one engine's process running: it starts it, waits until it
// answers, and starts it again when it dies, until it is closed.
type daemon struct {
	name     string
	engine   engine
	log      *slog.Logger
	restarts bool

	stopping chan struct{}
	stopOnce sync.Once
	done     chan struct{}
	current  atomic.Pointer[process]
	crashes  atomic.Int64
}

// process is one run of the engine.
type process struct {
	cmd    *exec.Cmd
	begun  time.Time
	exited chan struct{}
	err    error // why it ended; read after exited is closed
}

// startDaemon returns once the engine answers, or with the reason why not.
func startDaemon(ctx context.Context, name string, e engine, log *slog.Logger, restarts bool) (*daemon, error) {
	d := &daemon{name: name, engine: e, log: log.With("service", name), restarts: restarts,
		stopping: make(chan struct{}), done: make(chan struct{})}
	if err := d.launch(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go d.keep()
	return d, nil
}

// launch starts a process and waits until it answers; a process that does not
// is stopped again.
func (d *daemon) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cmd, err := d.engine.command(ctx)
	if err != nil {
		return err
	}
	p, err := spawn(cmd)
	if err != nil {
		return err
	}
	d.current.Store(p)
	if err := d.await(ctx, p); err != nil {
		_ = d.end(context.WithoutCancel(ctx), p) // why it did not start matters more
		if said := d.engine.complaint(); said != "" {
			return fmt.Errorf("%w: %s", err, said)
		}
		return err
	}
	return nil
}

// lasting is a command that outlives the context of its start.
func lasting(name string, args ...string) *exec.Cmd {
	return exec.CommandContext(context.Background(), name, args...)
}

// spawn runs cmd on an operating system thread of its own until it ends: the
// system ends such children with the thread that made them, not the process.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.begun = time.Now()
		err := cmd.Start()
		if out, ok := cmd.Stdout.(io.Closer); ok {
			_ = out.Close() // the child has its own
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.exited)
		}
	}()
	return p, <-started
}

// await polls until the process answers, ends, or ctx does.
func (d *daemon) await(ctx context.Context, p *process) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var last error
	for {
		probe, cancel := context.WithTimeout(ctx, probeLimit)
		last = d.engine.ping(probe)
		cancel()
		if hopeless := (*hopelessError)(nil); last == nil || errors.As(last, &hopeless) {
			return last
		}
		select {
		case <-p.exited:
			return fmt.Errorf("process ended early (%v)", exitReason(p.err))
		case <-ctx.Done():
			return fmt.Errorf("wait for an answer: %w (last: %w)", ctx.Err(), last)
		case <-d.stopping:
			return errors.New("stopped while starting")
		case <-tick.C:
		}
	}
}

// keep starts the engine again each time it ends, until the daemon is closed.
func (d *daemon) keep() {
	defer close(d.done)
	failures := 0
	for {
		p := d.current.Load()
		select {
		case <-p.exited:
		case <-d.stopping:
			return
		}
		if !d.restarts {
			return
		}
		if time.Since(p.begun) > steadyAfter {
			failures = 0
		}
		d.crashes.Add(1)
		d.log.Error("engine ended, starting it again", "pid", p.cmd.Process.Pid,
			"reason", fmt.Sprint(exitReason(p.err)), "ran", time.Since(p.begun).Round(time.Millisecond))
		if !d.revive(&failures) {
			return
		}
	}
}

// revive launches until it works; false means that the daemon was closed.
func (d *daemon) revive(failures *int) bool {
	for {
		begun := time.Now()
		if *failures > 0 && !d.pause(backoff(*failures)) {
			return false
		}
		*failures++
		err := d.launch(d.lifetime())
		if err == nil {
			d.log.Info("engine answers again", "pid", d.pid(), "after", time.Since(begun).Round(time.Millisecond))
			return true
		}
		select {
		case <-d.stopping:
			return false
		default:
			d.log.Error("engine does not start", "error", err, "tries", *failures)
		}
	}
}

// lifetime is a context that ends when the daemon is told to stop.
func (d *daemon) lifetime() context.Context {
	return stopContext{Context: context.Background(), done: d.stopping}
}

// stopContext turns a channel into a context without a goroutine.
type stopContext struct {
	context.Context
	done <-chan struct{}
}

func (c stopContext) Done() <-chan struct{} { return c.done }

func (c stopContext) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// backoff doubles from backoffBase to backoffCap, with up to half taken off so
// that several engines do not come back in step.
func backoff(failures int) time.Duration {
	wait := min(backoffBase<<min(failures-1, 20), backoffCap)
	return wait - rand.N(wait/2)
}

// pause waits for d, or returns false when the daemon is told to stop.
func (d *daemon) pause(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-d.stopping:
		return false
	}
}

// close stops the engine and waits; it may be called again. When ctx ends
// first, or the engine takes too long, the process is killed.
func (d *daemon) close(ctx context.Context) error {
	d.stopOnce.Do(func() { close(d.stopping) })
	<-d.done
	return d.end(ctx, d.current.Load())
}

func (d *daemon) end(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	d.engine.stop(p.cmd)
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("stop %s: it did not end in time and was killed", d.name)
	}
}

// kill ends the process at once and waits until it is gone.
func (d *daemon) kill() {
	p := d.current.Load()
	_ = p.cmd.Process.Kill()
	<-p.exited
}

func (d *daemon) pid() int { return d.current.Load().cmd.Process.Pid }

// exitReason names the end of a process, which has no error when it exited 0.
func exitReason(err error) any {
	if err == nil {
		return "exit status 0"
	}
	return err
}
