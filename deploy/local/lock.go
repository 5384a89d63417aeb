package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// HeldError says that another process holds the data directory.
type HeldError struct {
	Dir   string    `json:"-"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// Error names the holder.
func (e *HeldError) Error() string {
	return fmt.Sprintf("data directory %s is in use by process %d since %s", e.Dir, e.PID, e.Since.Format(time.RFC3339))
}

// lockDir takes the data directory for this process until the file is closed,
// or returns a *HeldError. The system frees it however the process ends.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := flock(file, syscall.LOCK_EX); err != nil {
		held := &HeldError{Dir: dir}
		raw, _ := io.ReadAll(file)
		_ = json.Unmarshal(raw, held)
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, held
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	content, err := json.Marshal(HeldError{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = file.WriteAt(append(content, '\n'), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write lock: %w", err), file.Close())
	}
	return file, nil
}

// flock tries once, without waiting.
func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
