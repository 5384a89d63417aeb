package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// leftoverGrace is how long a server of ours that was left alone may take to end.
const leftoverGrace = 5 * time.Second

// setAmbient makes a process keep capabilities over the change of user.
func setAmbient(attr *syscall.SysProcAttr, capabilities []uintptr) { attr.AmbientCaps = capabilities }

// passageCapability returns the least capability that we hold and that lets a
// process through directories closed to it; none without.
func passageCapability() []uintptr {
	held := capabilities("CapPrm") & capabilities("CapBnd")
	for _, one := range []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE} {
		if held&(1<<one) != 0 {
			return []uintptr{one}
		}
	}
	return nil
}

// capabilities reads one of our capability sets.
func capabilities(set string) uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, set+":"); ok {
			mask, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return mask
		}
	}
	return 0
}

// clearLeftovers ends every process that still works in the cluster and then
// removes its lock file. The caller holds the data directory's lock, so they
// can only be left over from a server whose supervisor was killed.
func clearLeftovers(ctx context.Context, data string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*leftoverGrace)
	defer cancel()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for begun := time.Now(); ; {
		pids, err := processesIn(data)
		if err != nil {
			return fmt.Errorf("look for left-over servers: %w", err)
		}
		if len(pids) == 0 {
			break
		}
		signal := syscall.SIGQUIT // immediate shutdown; recovery at the next start
		if time.Since(begun) > leftoverGrace {
			signal = syscall.SIGKILL
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, signal)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("end left-over servers %v: %w", pids, ctx.Err())
		}
	}
	err := os.Remove(filepath.Join(data, "postmaster.pid"))
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // where we may not, PostgreSQL judges the file itself
	}
	return fmt.Errorf("remove stale lock file: %w", err)
}

// processesIn lists the processes whose working directory is dir, which is so
// for all of a PostgreSQL server's.
func processesIn(dir string) ([]int, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cwd, err := os.Readlink(filepath.Join("/proc", entry.Name(), "cwd"))
		if err != nil || cwd != dir {
			continue // others' processes cannot be read, and are not ours
		}
		if name, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "comm")); err == nil && strings.TrimSpace(string(name)) == "postgres" {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
