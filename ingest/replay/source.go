package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	formatCSV    = "csv"
	formatNDJSON = "ndjson"
	stdinName    = "-"
)

// source is one file, which can be read more than once unless it is stdin read directly.
type source struct {
	name string
	open func() (io.ReadCloser, error)
	size int64 // bytes as stored; 0 = unknown
}

// sources opens nothing yet, but finds missing files early. With again, stdin is copied to a temporary file that close
// removes.
func sources(o Options, again bool) (list []source, close func(), err error) {
	close = func() {}
	for _, name := range o.Files {
		if name != stdinName {
			info, err := os.Stat(name)
			if err != nil {
				return nil, close, fmt.Errorf("find file: %w", err)
			}
			list = append(list, source{name: name, size: info.Size(), open: func() (io.ReadCloser, error) { return os.Open(name) }})
			continue
		}
		in := o.Stdin
		if in == nil {
			in = os.Stdin
		}
		s := source{name: "stdin", open: func() (io.ReadCloser, error) { return io.NopCloser(in), nil }}
		if again {
			remove := close
			path, size, err := spool(in)
			close = func() { remove(); _ = os.Remove(path) }
			if err != nil {
				return nil, close, err
			}
			s.size, s.open = size, func() (io.ReadCloser, error) { return os.Open(path) }
		}
		list = append(list, s)
	}
	return list, close, nil
}

// spool keeps in as a temporary file.
func spool(in io.Reader) (path string, size int64, err error) {
	f, err := os.CreateTemp("", "corrosion-replay-")
	if err != nil {
		return "", 0, fmt.Errorf("keep stdin: %w", err)
	}
	size, err = io.Copy(f, in)
	if err = errors.Join(err, f.Close()); err != nil {
		return f.Name(), 0, fmt.Errorf("keep stdin: %w", err)
	}
	return f.Name(), size, nil
}

// counter counts the bytes read through it.
type counter struct {
	io.Reader
	add func(int)
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.add(n)
	return n, err
}

// decompressed reads r plain, whatever it is.
func decompressed(r io.Reader) (*bufio.Reader, func(), error) {
	in := bufio.NewReaderSize(r, 1<<16)
	magic, _ := in.Peek(4) // fewer bytes match nothing
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("read gzip: %w", err)
		}
		return bufio.NewReaderSize(z, 1<<16), func() { _ = z.Close() }, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, fmt.Errorf("read zstd: %w", err)
		}
		return bufio.NewReaderSize(z, 1<<16), z.Close, nil
	}
	return in, func() {}, nil
}

// formatOf tells NDJSON from CSV by the first character; it also skips a byte order mark.
func formatOf(in *bufio.Reader) string {
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3)
	}
	start, _ := in.Peek(256)
	start = bytes.TrimLeft(start, " \t\r\n")
	if len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		return formatNDJSON
	}
	return formatCSV
}
