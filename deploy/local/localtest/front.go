package localtest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
)

// NewTLSFront listens with TLS before a server that has none, for clients with a certificate of the authority, and
// returns host and port. It ends with the test. The packaged ClickHouse opens no listener with TLS by itself.
func NewTLSFront(t testing.TB, a *Authority, target string) string {
	t.Helper()
	certFile, keyFile := a.Issue(t, "front")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(a.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(raw)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &front{target: target, open: map[net.Conn]bool{}}
	f.work.Go(func() { f.serve(listener) }) // ends with the listener
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		f.end()
	})
	return listener.Addr().String()
}

type front struct {
	target string
	work   sync.WaitGroup
	mu     sync.Mutex // covers open
	open   map[net.Conn]bool
}

func (f *front) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			f.work.Go(func() { f.carry(conn) }) // ends with either side
		}
	}
}

func (f *front) carry(client net.Conn) {
	server, err := net.Dial("tcp", f.target)
	if err != nil {
		client.Close() //nolint:errcheck // nobody is there
		return
	}
	f.note(client, server)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(server, client); closeAll(client, server) })
	both.Go(func() { _, _ = io.Copy(client, server); closeAll(client, server) })
	both.Wait()
}

func (f *front) note(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range conns {
		f.open[conn] = true
	}
}

func (f *front) end() {
	f.mu.Lock()
	for conn := range f.open {
		closeAll(conn)
	}
	f.mu.Unlock()
	f.work.Wait()
}

func closeAll(conns ...net.Conn) {
	for _, conn := range conns {
		_ = conn.Close()
	}
}
