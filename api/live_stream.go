package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"time"

	"corrosion/api/live"
)

// liveRetry is how long a browser waits before it comes back.
const liveRetry = 2 * time.Second

// liveSendBuffer bounds what the kernel keeps for a listener that does not read, bytes: what lies there is old.
const liveSendBuffer = 256 << 10

// errSlow says that a listener took nothing for too long.
var errSlow = errors.New("the listener takes nothing")

// liveStream is one listener's connection. It is written by one goroutine.
type liveStream struct {
	listener         *live.Listener
	heartbeat, stall time.Duration
	follow, packed   bool
	// raw says that the client knows no chunks: the end of the connection is that of the answer.
	raw     bool
	expires time.Time
	now     func() time.Time
	metrics *metrics
	head    func() []byte
	ended   func(sent int, err error)

	conn  net.Conn
	sent  int
	crc   uint32
	plain uint32
}

func (l *liveStream) whenEnded(f func(sent int, err error)) { l.ended = f }

// run sends until the listener leaves, is sent away, or base ends.
func (l *liveStream) run(base context.Context, conn net.Conn) {
	defer l.listener.Leave()
	l.conn = conn
	if c, ok := unwrap(conn); ok {
		c.stall = l.stall
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(liveSendBuffer) // the kernel's own bound holds where it fails
		}
	}
	ctx, cancel := context.WithCancel(base)
	gone := make(chan struct{})
	go func() { // ends with the connection
		defer close(gone)
		l.untilGone(cancel)
	}()
	reason, err := l.follower(ctx)
	if err == nil && reason != "" {
		err = l.finish(reason)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		reason, err = "too-slow", errSlow
	}
	cancel()
	_ = conn.SetReadDeadline(time.Unix(1, 0)) // ends untilGone
	<-gone
	l.metrics.liveEnded.WithLabelValues(endReason(reason)).Inc()
	if l.ended != nil {
		l.ended(l.sent, err)
	}
}

// endReason is the label of a metric: a listener that leaves has no reason.
func endReason(reason string) string {
	if reason == "" {
		return "left"
	}
	return reason
}

// unwrap finds our connection below fasthttp's.
func unwrap(c net.Conn) (*conn, bool) {
	if h, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		c = h.UnsafeConn()
	}
	ours, ok := c.(*conn)
	return ours, ok
}

// untilGone reads, which a client of a stream has no reason to answer, until the connection ends.
func (l *liveStream) untilGone(cancel context.CancelFunc) {
	var b [512]byte
	for {
		if _, err := l.conn.Read(b[:]); err != nil {
			cancel()
			return
		}
	}
}

// follower writes what changes, and gives the reason to say goodbye with; none where the client is gone.
func (l *liveStream) follower(ctx context.Context) (reason string, err error) {
	if err := l.begin(); err != nil {
		return "", err
	}
	beat := time.NewTimer(l.heartbeat)
	defer beat.Stop()
	expiry := l.expiry()
	defer expiry.Stop()
	for {
		frame, next := l.listener.Frame()
		if frame != nil {
			if err := l.write(frame.Plain, frame); err != nil {
				return "", err
			}
			beat.Reset(l.heartbeat)
			if !l.follow {
				return "complete", nil
			}
		}
		select {
		case <-next:
		case <-beat.C:
			if err := l.write([]byte(":\n\n"), nil); err != nil {
				return "", err
			}
			beat.Reset(l.heartbeat)
		case <-expiry.C:
			return live.EndedToken, nil
		case <-l.listener.Ended():
			return l.listener.Reason(), nil
		case <-ctx.Done():
			return "", nil
		}
	}
}

// expiry fires when the token ends; never where there is none.
func (l *liveStream) expiry() *time.Timer {
	if l.expires.IsZero() {
		t := time.NewTimer(time.Hour)
		t.Stop()
		return t
	}
	return time.NewTimer(l.expires.Sub(l.now()))
}

func (l *liveStream) begin() error {
	head := l.head()
	if l.raw {
		head = bytes.Replace(head, []byte("Transfer-Encoding: chunked\r\n"), nil, 1)
	}
	if err := l.send(head); err != nil {
		return err
	}
	if l.packed {
		// gzip's header: deflate, no name, no time, any system.
		if err := l.sendChunk([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}); err != nil {
			return err
		}
	}
	return l.write(append(retryLine(liveRetry), ":\n\n"...), nil)
}

// write sends text; frame has it packed already, nil packs it as it is.
func (l *liveStream) write(text []byte, frame *live.Frame) error {
	if !l.packed {
		return l.sendChunk(text)
	}
	l.crc = crc32.Update(l.crc, crc32.IEEETable, text)
	l.plain += uint32(len(text)) // gzip counts modulo 2^32
	if frame != nil {
		return l.sendChunk(frame.Packed())
	}
	return l.sendChunk(stored(text))
}

// stored is a short text as a deflate block that is not compressed, and an empty one behind it, as a flush makes it.
func stored(text []byte) []byte {
	b := []byte{0}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	b = binary.LittleEndian.AppendUint16(b, ^uint16(len(text)))
	b = append(b, text...)
	return append(b, 0, 0, 0, 0xff, 0xff)
}

// finish says why and ends the answer as a whole one.
func (l *liveStream) finish(reason string) error {
	if reason != "complete" {
		if err := l.write(live.Event("end", live.Note{Reason: reason}), nil); err != nil {
			return err
		}
	}
	if l.packed {
		last := []byte{1, 0, 0, 0xff, 0xff} // an empty last block
		last = binary.LittleEndian.AppendUint32(last, l.crc)
		if err := l.sendChunk(binary.LittleEndian.AppendUint32(last, l.plain)); err != nil {
			return err
		}
	}
	if l.raw {
		return nil
	}
	return l.send([]byte("0\r\n\r\n"))
}

func chunked(dst, data []byte) []byte {
	dst = fmt.Appendf(dst, "%x\r\n", len(data))
	return append(append(dst, data...), '\r', '\n')
}

// sendChunk sends data without a copy of it.
func (l *liveStream) sendChunk(data []byte) error {
	switch {
	case l.raw:
		return l.send(data)
	case len(data) < 4096:
		return l.send(chunked(nil, data))
	}
	for _, part := range [][]byte{fmt.Appendf(nil, "%x\r\n", len(data)), data, []byte("\r\n")} {
		if err := l.send(part); err != nil {
			return err
		}
	}
	return nil
}

func (l *liveStream) send(data []byte) error {
	n, err := l.conn.Write(data)
	l.sent += n
	return err
}
