package publish

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"

	"corrosion/schema"
	"corrosion/schema/wire"
)

const (
	// compressFrom is the body size, bytes, under which compression costs more than it saves.
	compressFrom = 1 << 10
	// headerRoom is kept free under max_payload: headers count towards it.
	headerRoom = 512
)

// batch collects encoded samples of one subject, each followed by a byte for the comma.
type batch struct {
	subject string
	body    []byte // '[' then objects, each followed by ','
	ends    []int  // where each object ends in body
}

func (b *batch) add(s *schema.Sample) {
	b.open()
	b.body = wire.AppendJSON(b.body, s)
	b.close()
}

func (b *batch) open() {
	if len(b.ends) == 0 {
		b.body = append(b.body[:0], '[')
	}
}

func (b *batch) close() {
	b.ends = append(b.ends, len(b.body))
	b.body = append(b.body, ',')
}

// split moves the last object into a batch of its own and returns what stood before it.
func (b *batch) split() batch {
	n := len(b.ends) - 1
	start := b.start(n)
	before := batch{subject: b.subject, body: b.body[:start], ends: b.ends[:n]}
	last := b.body[start:b.ends[n]]
	*b = batch{subject: b.subject}
	b.open()
	b.body = append(b.body, last...)
	b.close()
	return before
}

func (b *batch) start(i int) int {
	if i == 0 {
		return 1
	}
	return b.ends[i-1] + 1
}

// plain is the body of objects lo to hi (exclusive): one object as it is, several as an array. It is made in place, so
// it is valid until the next call.
func (b *batch) plain(lo, hi int) []byte {
	start, end := b.start(lo), b.ends[hi-1]
	if hi-lo == 1 {
		return b.body[start:end]
	}
	b.body[start-1], b.body[end] = '[', ']'
	return b.body[start-1 : end+1]
}

// encoder makes bodies. Its methods may run side by side.
type encoder struct {
	compression Compression
	zstd        *zstd.Encoder
	gzips       sync.Pool
}

func newEncoder(c Compression) (*encoder, error) {
	e := &encoder{compression: c}
	if c == Zstd {
		var err error
		// The fastest level: it already takes a batch of samples to a fifth, and the sender's CPU is the server's.
		e.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("make zstd encoder: %w", err)
		}
	}
	return e, nil
}

// encode makes the body and header of a message, compressed where that is asked for and pays. The body never shares
// plain's memory.
func (e *encoder) encode(plain []byte) ([]byte, nats.Header) {
	header := nats.Header{}
	if e.compression == Plain || len(plain) < compressFrom {
		return bytes.Clone(plain), header
	}
	header.Set("Content-Encoding", string(e.compression))
	if e.compression == Zstd {
		return e.zstd.EncodeAll(plain, make([]byte, 0, len(plain)/3)), header
	}
	return e.gzip(plain), header
}

func (e *encoder) gzip(plain []byte) []byte {
	w, _ := e.gzips.Get().(*gzip.Writer)
	if w == nil {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the only error is a bad level
	}
	var out bytes.Buffer
	out.Grow(len(plain) / 3)
	w.Reset(&out)
	_, _ = w.Write(plain) // a bytes.Buffer takes everything
	_ = w.Close()
	e.gzips.Put(w)
	return out.Bytes()
}
