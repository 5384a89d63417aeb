package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const leftoverGrace = 5 * time.Second

func setAmbient(*syscall.SysProcAttr, []uintptr) {}

func passageCapability() []uintptr { return nil }

// clearLeftovers ends a server whose supervisor was killed. The lock file stays:
// PostgreSQL itself judges whether it is stale.
func clearLeftovers(ctx context.Context, data string) error {
	raw, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pid := leadingNumber(string(raw))
	if pid == 0 || !isPostgres(ctx, pid) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leftoverGrace)
	defer cancel()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for syscall.Kill(pid, syscall.SIGQUIT) == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// isPostgres asks ps, because ids are used again.
func isPostgres(ctx context.Context, pid int) bool {
	out, err := exec.CommandContext(ctx, "ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.HasSuffix(strings.TrimSpace(string(out)), "postgres")
}
