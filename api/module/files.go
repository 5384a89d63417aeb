package module

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Files is the store of plugin files: each lies under its SHA-256, so that equal ones are one and none ever changes. It is
// safe for concurrent use, also by several processes that share the directory.
type Files struct{ dir string }

// incoming holds what is being written.
const incoming = "incoming"

// NewFiles opens the store in dir, making it where it is missing.
func NewFiles(dir string) (*Files, error) {
	if err := os.MkdirAll(filepath.Join(dir, incoming), 0o700); err != nil {
		return nil, fmt.Errorf("module files: %w", err)
	}
	return &Files{dir: dir}, nil
}

// Stored is a file that the store has.
type Stored struct {
	SHA256 string
	Size   int64
}

// Put keeps what r gives, at most MaxFile bytes. It is on disk under its digest when Put returns; a file that is there
// already stays as it is. It fails with ErrTooLarge or ErrEmpty.
func (f *Files) Put(r io.Reader) (stored Stored, err error) {
	temp, err := os.CreateTemp(filepath.Join(f.dir, incoming), "put-")
	if err != nil {
		return stored, fmt.Errorf("store module file: %w", err)
	}
	defer func() {
		temp.Close()
		os.Remove(temp.Name()) // it has another name once it is stored
	}()
	digest := sha256.New()
	stored.Size, err = io.Copy(io.MultiWriter(temp, digest), io.LimitReader(r, MaxFile+1))
	switch {
	case err != nil:
		return stored, fmt.Errorf("store module file: %w", err)
	case stored.Size > MaxFile:
		return stored, ErrTooLarge
	case stored.Size == 0:
		return stored, ErrEmpty
	}
	stored.SHA256 = hex.EncodeToString(digest.Sum(nil))
	if err := temp.Sync(); err != nil {
		return stored, fmt.Errorf("store module file: %w", err)
	}
	if err := f.keep(temp.Name(), stored); err != nil {
		return stored, fmt.Errorf("store module file: %w", err)
	}
	return stored, nil
}

// keep gives a written file its name, and sees to it that the name outlives a crash. What a crash left behind under the
// name, of another length, is replaced.
func (f *Files) keep(temp string, stored Stored) error {
	path := f.path(stored.SHA256)
	if info, err := os.Stat(path); err == nil && info.Size() == stored.Size {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(path), f.dir} {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Open gives a stored file, which the caller closes. It fails with ErrElsewhere where it is missing or not whole.
func (f *Files) Open(stored Stored) (*os.File, error) {
	if !ValidDigest(stored.SHA256) {
		return nil, fmt.Errorf("open module file: bad digest: %w", ErrUnknown)
	}
	file, err := os.Open(f.path(stored.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrElsewhere
	}
	if err != nil {
		return nil, fmt.Errorf("open module file: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.Size() != stored.Size {
		err = fmt.Errorf("%s has %d bytes instead of %d: %w", stored.SHA256, info.Size(), stored.Size, ErrElsewhere)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (f *Files) path(digest string) string { return filepath.Join(f.dir, digest[:2], digest) }
