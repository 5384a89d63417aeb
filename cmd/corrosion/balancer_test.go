package main

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// balancer spreads connections over processes, one after the other, and leaves out who is not ready.
type balancer struct {
	listener net.Listener
	stopped  chan struct{}
	work     sync.WaitGroup

	mu       sync.Mutex // covers what follows
	backends []string
	healthy  map[string]bool
	next     int
	open     map[net.Conn]bool
}

// newBalancer listens for connections to the backends until the test ends.
func newBalancer(t *testing.T, backends ...string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: listener, stopped: make(chan struct{}), backends: backends, healthy: map[string]bool{}, open: map[net.Conn]bool{}}
	for _, backend := range backends {
		b.healthy[backend] = true
		b.work.Go(func() { b.probe(backend) })
	}
	b.work.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			b.work.Go(func() { b.serve(client) })
		}
	})
	t.Cleanup(b.close)
	return b
}

// URL is where clients ask.
func (b *balancer) URL() string { return "http://" + b.listener.Addr().String() }

func (b *balancer) close() {
	close(b.stopped)
	_ = b.listener.Close()
	b.mu.Lock()
	for conn := range b.open {
		_ = conn.Close()
	}
	b.mu.Unlock()
	b.work.Wait()
}

// probe asks a backend ten times a second whether it is ready.
func (b *balancer) probe(backend string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-b.stopped:
			return
		case <-tick.C:
		}
		fine := ready(backend) == nil
		b.mu.Lock()
		b.healthy[backend] = fine
		b.mu.Unlock()
	}
}

// isHealthy tells what the last probe said.
func (b *balancer) isHealthy(backend string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.healthy[backend]
}

// pick gives the next backend that is ready, or else any.
func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.backends {
		b.next++
		if backend := b.backends[b.next%len(b.backends)]; b.healthy[backend] {
			return backend
		}
	}
	return b.backends[b.next%len(b.backends)]
}

func (b *balancer) track(conn net.Conn, open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if open {
		b.open[conn] = true
		return
	}
	delete(b.open, conn)
	_ = conn.Close()
}

func (b *balancer) serve(client net.Conn) {
	b.track(client, true)
	defer b.track(client, false)
	server, err := net.Dial("tcp", b.pick())
	if err != nil {
		return
	}
	b.track(server, true)
	defer b.track(server, false)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(way[1], way[0])
			if half, ok := way[1].(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
}
