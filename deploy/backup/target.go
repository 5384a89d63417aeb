package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Target is where a backup lies: files by slash-separated paths.
type Target interface {
	// Write stores a file, whole or not at all.
	Write(ctx context.Context, path string, body io.Reader) error
	// Read opens a file; ErrNoFile where there is none.
	Read(ctx context.Context, path string) (io.ReadCloser, error)
	// Empty tells whether nothing is there.
	Empty(ctx context.Context) (bool, error)
	// String is for people; it holds no secret.
	String() string
}

// ErrNoFile says that a target has no such file.
var ErrNoFile = errors.New("the file is missing")

// OpenTarget reads a directory's name or s3://bucket/prefix?endpoint=https://host; see OpenS3.
func OpenTarget(where string) (Target, error) {
	if strings.HasPrefix(where, "s3://") {
		return openS3(where)
	}
	if scheme, _, found := strings.Cut(where, "://"); found {
		return nil, fmt.Errorf("%s:// is no place for a backup: want a directory or s3://bucket/prefix?endpoint=https://host", scheme)
	}
	return directory(where), nil
}

// directory keeps files of mode 0600 in directories of mode 0700.
type directory string

func (d directory) String() string { return string(d) }

func (d directory) file(path string) string {
	return filepath.Join(string(d), filepath.FromSlash(path))
}

func (d directory) Write(_ context.Context, path string, body io.Reader) (err error) {
	name := d.file(path)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(name), ".part-*") // 0600
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part.Name()))
		}
	}()
	_, err = io.Copy(part, body)
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(part.Name(), name)
}

func (d directory) Read(_ context.Context, path string) (io.ReadCloser, error) {
	file, err := os.Open(d.file(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNoFile)
	}
	return file, err
}

func (d directory) Empty(context.Context) (bool, error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return len(entries) == 0, err
}

// put stores what produce writes and says what that was.
func put(ctx context.Context, target Target, path string, seen func(n int), produce func(io.Writer) error) (File, error) {
	reader, writer := io.Pipe()
	hash := sha256.New()
	count := &counted{to: io.MultiWriter(hash, writer), seen: seen}
	go func() { writer.CloseWithError(produce(count)) }() // ends with produce, which ends when the pipe is closed
	err := target.Write(ctx, path, reader)
	_ = reader.CloseWithError(errors.Join(err, io.ErrClosedPipe))
	if err != nil {
		return File{}, err
	}
	return File{Path: path, Bytes: count.n, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}

// counted counts what passes.
type counted struct {
	to   io.Writer
	n    int64
	seen func(n int)
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	c.seen(n)
	return n, err
}

// verify reads a file and compares it with what the manifest says.
func verify(ctx context.Context, source Target, f File, seen func(n int)) error {
	file, err := source.Read(ctx, f.Path)
	if errors.Is(err, ErrNoFile) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return err
	}
	hash := sha256.New()
	count := &counted{to: hash, seen: seen}
	_, err = io.Copy(count, file)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); count.n != f.Bytes || sum != f.SHA256 {
		return fmt.Errorf("%w: %s has %d bytes and SHA-256 %s, want %d and %s", ErrDamaged, f.Path, count.n, sum, f.Bytes, f.SHA256)
	}
	return nil
}
