package exportjob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"corrosion/api/encode"
	"corrosion/schema"
)

// progress is how far a job is; the worker writes it, its heart reads it.
type progress struct {
	rows, bytes atomic.Int64
	// estimate is below zero until it is known.
	estimate atomic.Int64
	// room is how many bytes the job may take.
	room atomic.Int64
}

// copySize is how much is written at once, and how often room is looked at.
const copySize = 256 << 10

// write makes a job's files in dir. What is there when it fails is rubbish.
func (m *Manager) write(ctx context.Context, job Job, dir string, p *progress) (*Manifest, error) {
	request, manifest := job.Spec.Request, &Manifest{Files: []File{}}
	if request.Granularity == schema.Raw {
		var err error
		if request.StoredBefore, err = m.deps.Exporter.Watermark(ctx, request.StoredSince); err != nil {
			return nil, err
		}
		if manifest.NextCursor, err = m.deps.Cursor(job.Spec, request.StoredBefore); err != nil {
			return nil, err
		}
	}
	days, err := m.deps.Exporter.Plan(ctx, request)
	if err != nil {
		return nil, err
	}
	estimate := uint64(0)
	for _, day := range days {
		estimate += day.Rows
	}
	p.estimate.Store(int64(estimate))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	for n, part := range parts(request, days, job.Spec.ByDay) {
		file, err := m.writeFile(ctx, part, dir, p)
		if err != nil {
			return nil, err
		}
		file.N = n
		manifest.Files = append(manifest.Files, file)
		manifest.Rows += file.Rows
		manifest.Bytes += file.Bytes
	}
	return manifest, syncDir(dir)
}

// parts are the exports of a job's files. There is always one, if only with a header.
func parts(request encode.Request, days []encode.Day, byDay bool) []encode.Request {
	if !byDay || len(days) == 0 {
		return []encode.Request{request}
	}
	split := make([]encode.Request, len(days))
	for i, day := range days {
		part, end := request, day.Start.Add(24*time.Hour)
		if part.From.Before(day.Start) { // also where there are no bounds
			part.From = day.Start
		}
		if part.To.IsZero() || part.To.After(end) {
			part.To = end
		}
		split[i] = part
	}
	return split
}

// writeFile writes one export under a temporary name, and gives it its name once every byte is on the disk.
func (m *Manager) writeFile(ctx context.Context, request encode.Request, dir string, p *progress) (_ File, err error) {
	stream, err := m.deps.Exporter.Export(ctx, request)
	if err != nil {
		return File{}, err
	}
	defer stream.Close()
	entry := File{Name: request.Filename() + suffix(request.Encoding)}
	if !request.From.IsZero() {
		from, to := request.Bounds()
		entry.From, entry.To = &from, &to
	}
	target := filepath.Join(dir, entry.Name)
	file, err := os.OpenFile(target+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return File{}, fmt.Errorf("make file: %w", err)
	}
	defer func() { err = errors.Join(err, closeOnce(file)) }()
	if entry.SHA256, entry.Bytes, err = copyStream(file, stream, p); err != nil {
		return File{}, err
	}
	entry.Rows = stream.Rows()
	if err := file.Sync(); err != nil {
		return File{}, fmt.Errorf("sync file: %w", err)
	}
	if err := file.Close(); err != nil {
		return File{}, fmt.Errorf("close file: %w", err)
	}
	return entry, os.Rename(target+".part", target)
}

// closeOnce closes what may be closed already.
func closeOnce(file *os.File) error {
	if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close file: %w", err)
	}
	return nil
}

// copyStream writes a stream to its end, or fails with ErrFull.
func copyStream(file *os.File, stream *encode.Stream, p *progress) (digest string, size int64, err error) {
	hash := sha256.New()
	into := io.MultiWriter(file, hash)
	before := p.rows.Load()
	buffer := make([]byte, copySize)
	for {
		n, err := stream.Read(buffer)
		if n > 0 {
			if _, err := into.Write(buffer[:n]); err != nil {
				return "", 0, fmt.Errorf("write file: %w", err)
			}
			size += int64(n)
			p.rows.Store(before + int64(stream.RowsSoFar()))
			if p.bytes.Add(int64(n)) > p.room.Load() {
				return "", 0, ErrFull
			}
		}
		if err == io.EOF { //nolint:errorlint // only the bare io.EOF ends a whole file
			p.rows.Store(before + int64(stream.Rows()))
			return hex.EncodeToString(hash.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
}

func suffix(encoding encode.Encoding) string {
	switch encoding {
	case encode.Gzip:
		return ".gz"
	case encode.Zstd:
		return ".zst"
	}
	return ""
}

// syncDir makes the names in dir, and its own, survive a power cut.
func syncDir(dir string) error {
	for _, name := range []string{dir, filepath.Dir(dir), filepath.Dir(filepath.Dir(dir))} {
		d, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("sync directory: %w", err)
		}
		err = errors.Join(d.Sync(), d.Close())
		if err != nil {
			return fmt.Errorf("sync directory: %w", err)
		}
	}
	return nil
}
