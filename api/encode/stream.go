package encode

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"corrosion/schema/connect/stores"
)

// chunkSize is how much is passed on at once. A chunk stays back until the next is there, so what is held is always more
// than stores.MaxException.
const chunkSize = 256 << 10

// Stream is an export under way. Read returns io.EOF only after a complete file; a fault of the engine is ErrBroken,
// and what the engine wrote about it is not passed on.
type Stream struct {
	// Encoding is the content coding of what Read returns.
	Encoding Encoding

	source *source
	reader chunkReader
	cancel context.CancelFunc
}

// chunkReader is a reader that knows whether it holds bytes.
type chunkReader interface {
	io.Reader
	buffered() bool
}

func newStream(response *http.Response, r Request, cancel context.CancelFunc) (*Stream, error) {
	src := &source{
		body: response.Body, counter: newRowCounter(r),
		mark: stores.MarkOf(response),
	}
	if err := src.prime(); err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	reader, err := compress(src, r.Encoding)
	if err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	return &Stream{Encoding: r.Encoding, source: src, reader: reader, cancel: cancel}, nil
}

func (s *Stream) Read(p []byte) (int, error) { return s.reader.Read(p) }

// Buffered tells whether the next Read returns without waiting for the engine.
func (s *Stream) Buffered() bool {
	return s.reader.buffered()
}

// Rows is how many rows the file has; meaningful once Read has returned io.EOF.
func (s *Stream) Rows() uint64 { return s.source.rows }

// RowsSoFar is how many rows have come from the engine; a Parquet file tells only at its end.
func (s *Stream) RowsSoFar() uint64 { return s.source.counter.SoFar() }

// Bytes is how many bytes of the file, before compression, have been passed on.
func (s *Stream) Bytes() uint64 { return s.source.passed }

// Close ends the export; the engine's query ends with it, wherever it stood.
func (s *Stream) Close() error {
	s.cancel()
	return s.source.body.Close()
}

// source is the engine's answer, one chunk behind.
type source struct {
	body    io.ReadCloser
	counter rowCounter
	mark    stores.Mark

	ready []byte // being read
	held  []byte // complete, passed on when the chunk after it has come without a fault
	spare []byte
	last  bool // nothing comes after held
	err   error

	rows   uint64
	passed uint64
}

// prime reads the first chunk.
func (s *source) prime() error {
	s.spare = make([]byte, 0, chunkSize)
	s.held, s.err = s.pull(make([]byte, 0, chunkSize))
	return s.err
}

func (s *source) Read(p []byte) (int, error) {
	if len(s.ready) == 0 {
		chunk, err := s.next()
		if err != nil {
			return 0, err
		}
		s.ready = chunk
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// next is the next chunk, valid until the one after it is asked for.
func (s *source) next() ([]byte, error) {
	for {
		if s.err != nil {
			return nil, s.err
		}
		chunk := s.advance()
		if len(chunk) > 0 {
			s.passed += uint64(len(chunk))
			return chunk, nil
		}
	}
}

func (s *source) buffered() bool { return len(s.ready) > 0 }

// advance gives out the held chunk once its successor is there. Two buffers take turns.
func (s *source) advance() []byte {
	chunk := s.held
	if s.last {
		s.held, s.err = nil, io.EOF
		return chunk
	}
	if s.held, s.err = s.pull(s.spare[:0]); s.err != nil {
		return nil
	}
	s.spare = chunk
	return chunk
}

// pull fills buf to its capacity or to the end of the file, and counts it.
func (s *source) pull(buf []byte) ([]byte, error) {
	for len(buf) < cap(buf) {
		n, err := s.body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			s.last = true
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBroken, cmp.Or(s.fault(buf), err))
		}
	}
	s.counter.Write(buf)
	if s.last {
		return buf, s.finish(buf)
	}
	return buf, nil
}

// finish looks at the end of the file.
func (s *source) finish(end []byte) error {
	err := s.fault(end)
	if err == nil {
		s.rows, err = s.counter.Rows()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return nil
}

// fault is what the engine wrote about one at the end of its answer, perhaps beginning in the chunk before. Some faults end
// the answer properly, others break it off after these words.
func (s *source) fault(end []byte) error {
	seam := bytes.Clone(s.held[max(0, len(s.held)-stores.MaxException):])
	if _, said := s.mark.Find(append(seam, end...)); said != nil {
		return said // not a ServerError: trying again may help whatever its code
	}
	return nil
}
