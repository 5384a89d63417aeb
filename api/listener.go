package api

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listener wraps connections so that a file is sent in large pieces, a client that takes nothing is let go, and Close
// can end what is left.
type listener struct {
	net.Listener
	stall time.Duration

	mu    sync.Mutex // covers conns
	conns map[*conn]struct{}
	open  sync.WaitGroup
}

func newListener(inner net.Listener, stall time.Duration) *listener {
	return &listener{Listener: inner, stall: stall, conns: map[*conn]struct{}{}}
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, listener: l, stall: l.stall}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = struct{}{}
	l.open.Add(1)
	return c, nil
}

// closeConns ends every connection, whatever it is doing.
func (l *listener) closeConns() {
	l.mu.Lock()
	left := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		left = append(left, c)
	}
	l.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
}

// bulkSize is how much of a file is gathered for one write. fasthttp writes streams in pieces of 4 KiB, two system calls
// each, which costs a fifth of an export's rate.
const bulkSize = 256 << 10

// conn is one connection; like its users it is written by one goroutine at a time.
type conn struct {
	net.Conn
	listener *listener
	// stall is how long one write may wait.
	stall time.Duration
	// bulk gathers writes while it is not nil.
	bulk   []byte
	closed sync.Once
	// refused is set when a body was too large to be read before it was answered.
	refused atomic.Bool
	// onClose is called when the connection has ended, where there is one.
	onClose atomic.Pointer[func()]
}

// Write gathers or sends p. Each write has its own deadline.
func (c *conn) Write(p []byte) (int, error) {
	if c.bulk == nil {
		return c.send(p)
	}
	if len(c.bulk)+len(p) > cap(c.bulk) {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	c.bulk = append(c.bulk, p...)
	return len(p), nil
}

func (c *conn) send(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// begin starts to gather writes; flush sends what there is, end stops gathering.
func (c *conn) begin() { c.bulk = make([]byte, 0, bulkSize) }

func (c *conn) flush() error {
	if len(c.bulk) == 0 {
		return nil
	}
	_, err := c.send(c.bulk)
	c.bulk = c.bulk[:0]
	return err
}

func (c *conn) end() error {
	err := c.flush()
	c.bulk = nil
	return err
}

// Of a request that was refused unread, so much is read and so long waited before the connection is closed.
const (
	lingerBytes = 64 << 20
	lingerTime  = 2 * time.Second
)

// linger reads what a client still sends. Closing at once would reset the connection, and the client, still writing, would
// never see why it was refused (RFC 9112, section 9.6).
func (c *conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
}

// Close ends the connection, once.
func (c *conn) Close() (err error) {
	c.closed.Do(func() {
		if c.refused.Load() {
			c.linger()
		}
		err = c.Conn.Close()
		c.listener.mu.Lock()
		delete(c.listener.conns, c)
		c.listener.mu.Unlock()
		if f := c.onClose.Load(); f != nil {
			(*f)()
		}
		c.listener.open.Done()
	})
	return err
}
