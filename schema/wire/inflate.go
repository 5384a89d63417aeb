package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"corrosion/schema"
)

// inflater undoes Content-Encoding. Its readers and its buffer are reused; the buffer never grows beyond one byte
// more than schema.MaxMessageBytes, however much a message would unpack to.
type inflater struct {
	gzip  *gzip.Reader
	zstd  *zstd.Decoder
	from  bytes.Reader
	plain []byte
}

// inflate gives the decompressed text, valid until the next call.
func (in *inflater) inflate(encoding string, body []byte) ([]byte, fault) {
	text, err := body, error(nil)
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
	case "gzip":
		text, err = in.gunzip(body)
	case "zstd":
		text, err = in.unzstd(body)
	default:
		return nil, fault{BadEncoding, fmt.Sprintf("Content-Encoding: %q, want gzip or zstd", clip(encoding, 40))}
	}
	in.from.Reset(nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded), len(text) > schema.MaxMessageBytes:
		return nil, fault{TooLarge, fmt.Sprintf("more than %d bytes after decompression", schema.MaxMessageBytes)}
	case err != nil:
		return nil, fault{BadEncoding, "decompress: " + clip(err.Error(), 200)}
	}
	return text, fault{}
}

func (in *inflater) gunzip(body []byte) ([]byte, error) {
	if in.gzip == nil {
		in.gzip = new(gzip.Reader)
	}
	in.from.Reset(body)
	if err := in.gzip.Reset(&in.from); err != nil {
		return nil, err
	}
	return in.read(in.gzip)
}

// unzstd works without goroutines, and with a window of schema.MaxMessageBytes at most.
func (in *inflater) unzstd(body []byte) ([]byte, error) {
	if in.zstd == nil {
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(schema.MaxMessageBytes))
		if err != nil {
			return nil, err
		}
		in.zstd = decoder
	}
	in.from.Reset(body)
	if err := in.zstd.Reset(&in.from); err != nil {
		return nil, err
	}
	return in.read(in.zstd)
}

// read reads to the end, or to one byte more than may be.
func (in *inflater) read(from io.Reader) ([]byte, error) {
	in.plain = in.plain[:0]
	for len(in.plain) <= schema.MaxMessageBytes {
		in.grow()
		n, err := from.Read(in.plain[len(in.plain):cap(in.plain)])
		in.plain = in.plain[:len(in.plain)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return in.plain, nil
}

// grow makes room behind plain: about twice as much, up to one byte more than may be. The first size is an odd one so
// that the last step is a doubling, too.
func (in *inflater) grow() {
	if len(in.plain) < cap(in.plain) {
		return
	}
	bigger := make([]byte, len(in.plain), min(max(2*cap(in.plain), 64<<10+1), schema.MaxMessageBytes+1))
	copy(bigger, in.plain)
	in.plain = bigger
}
