package local

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ebitengine/purego"
)

// ChildClickHouse is the hidden first argument that turns this binary into
// the ClickHouse engine.
const ChildClickHouse = "__clickhouse"

const (
	// promptEvery is how often an ending engine's prompt is told "end of input".
	promptEvery = 20 * time.Millisecond
	// childGrace is how long an engine may take to end before it is cut off.
	childGrace = 10 * time.Second
)

// childReady is set once ChildMain has run: without it a child would run the
// whole program again instead of the engine.
var childReady atomic.Bool //nolint:gochecknoglobals // a fact about the process

// ChildMain must be called first thing in main and in every TestMain that
// starts engines. In a child process it runs the engine and does not return;
// elsewhere it returns at once.
func ChildMain() {
	if len(os.Args) < 2 || os.Args[1] != ChildClickHouse {
		childReady.Store(true)
		return
	}
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage:", ChildClickHouse, "LIBRARY CONFIG")
		os.Exit(2)
	}
	if err := runClickHouse(os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "run clickhouse:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runClickHouse runs the engine until standard input, the parent's pipe, ends
// or a signal asks for it.
func runClickHouse(library, config string) error {
	signal.Ignore(syscall.SIGHUP)
	parent, master, err := swapStdin()
	if err != nil {
		return err
	}
	go func() { _, _ = io.Copy(io.Discard, master) }()
	// The last statement of the session reads this pipe, which keeps the
	// listeners open until it is closed.
	keep, alive, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open keep-alive pipe: %w", err)
	}
	go stopWhenAsked(parent, master, alive)
	defer runtime.KeepAlive(keep)
	return callEngine(library, []string{
		"clickhouse", "--config-file=" + config,
		"--query", fmt.Sprintf("SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; "+
			"INSERT INTO FUNCTION null('l String') FROM INFILE '/dev/fd/%d' FORMAT LineAsString", keep.Fd()),
		"--interactive", "--disable_suggestion",
	})
}

// callEngine loads the library and stays in it until the session ends.
func callEngine(library string, args []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("load engine: %w", err)
	}
	var setSignals func(enabled int32)
	var cmdline func(argc int32, argv **byte) uintptr
	purego.RegisterLibFunc(&setSignals, handle, "chdb_set_signal_handlers_enabled")
	purego.RegisterLibFunc(&cmdline, handle, "chdb_query_cmdline")
	setSignals(0)
	argv := make([]*byte, 0, len(args)+1)
	for _, arg := range args {
		pointer, err := syscall.BytePtrFromString(arg)
		if err != nil {
			return fmt.Errorf("build arguments: %w", err)
		}
		argv = append(argv, pointer)
	}
	argv = append(argv, nil)
	var pin runtime.Pinner
	defer pin.Unpin()
	for _, pointer := range argv[:len(args)] {
		pin.Pin(pointer)
	}
	cmdline(int32(len(args)), &argv[0])
	return nil
}

// swapStdin puts a pseudo-terminal in place of standard input and returns the
// parent's pipe and the terminal's master. Without a terminal the engine is a
// batch tool, and any stray client's fault would end it.
func swapStdin() (parent, master *os.File, err error) {
	pipe, err := syscall.Dup(0)
	if err != nil {
		return nil, nil, fmt.Errorf("keep parent's pipe: %w", err)
	}
	syscall.CloseOnExec(pipe)
	master, slave, err := openTerminal()
	if err != nil {
		return nil, nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	if err := dupTo(int(slave.Fd()), 0); err != nil {
		return nil, nil, fmt.Errorf("place pseudo-terminal: %w", err)
	}
	return os.NewFile(uintptr(pipe), "parent"), master, slave.Close()
}

// stopWhenAsked waits for a signal or for the parent's end, then closes the
// keep-alive pipe and ends the prompt that the engine falls back to.
func stopWhenAsked(parent, master, alive *os.File) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, parent)
		close(gone)
	}()
	select {
	case <-asked:
	case <-gone:
	}
	_ = alive.Close()
	tick := time.NewTicker(promptEvery)
	defer tick.Stop()
	late := time.After(childGrace)
	for {
		select {
		case <-tick.C:
			_, _ = master.WriteString("\x04")
		case <-late:
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
}
