package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// logTurn is the size in bytes beyond which a log is put aside at the next start.
const logTurn = 16 * mebibyte

// openLog opens path for appending; a long one becomes path.1 first.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logTurn {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("turn log: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	return file, nil
}

// lastLine returns the last line of a log's tail, at most 300 bytes.
func lastLine(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // read only
	tail := make([]byte, 4096)
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	n, _ := file.ReadAt(tail, max(0, info.Size()-int64(len(tail))))
	lines := strings.Split(strings.TrimSpace(string(tail[:n])), "\n")
	last := lines[len(lines)-1]
	return last[:min(len(last), 300)]
}
