package encode

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compress puts a content coding around src, at the fastest level: an export is bound by the processor.
func compress(src *source, encoding Encoding) (chunkReader, error) {
	if encoding == Identity {
		return src, nil
	}
	c := &compressor{source: src}
	var err error
	switch encoding {
	case Gzip:
		c.encoder, err = gzip.NewWriterLevel(&c.out, gzip.BestSpeed)
	case Zstd:
		// One goroutine and a small window keep the memory of an export flat and small.
		c.encoder, err = zstd.NewWriter(&c.out, zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(true))
	default:
		err = fmt.Errorf("%w: content coding %q", errRequest, encoding)
	}
	return c, err
}

// compressor compresses while it is read, a chunk at a time.
type compressor struct {
	source  *source
	encoder io.WriteCloser
	out     bytes.Buffer
	err     error
}

func (c *compressor) Read(p []byte) (int, error) {
	for c.out.Len() == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.err = c.step()
	}
	return c.out.Read(p)
}

func (c *compressor) buffered() bool { return c.out.Len() > 0 }

func (c *compressor) step() error {
	c.out.Reset()
	chunk, err := c.source.next()
	if err == io.EOF { //nolint:errorlint // only the bare io.EOF ends a whole file
		if err := c.encoder.Close(); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		return io.EOF
	}
	if err != nil {
		return err
	}
	if _, err := c.encoder.Write(chunk); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}
