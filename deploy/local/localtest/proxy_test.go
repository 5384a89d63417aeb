package localtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// echo serves lines back until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	return listener.Addr().String()
}

// ask sends a line over conn and waits at most limit for it to come back.
func ask(conn net.Conn, limit time.Duration) error {
	_ = conn.SetDeadline(time.Now().Add(limit))
	if _, err := fmt.Fprintln(conn, "hello"); err != nil {
		return err
	}
	_, err := bufio.NewReader(conn).ReadString('\n')
	return err
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestProxyCutsStallsDelaysAndHeals(t *testing.T) {
	p := NewProxy(t, echo(t))
	conn := dial(t, p)
	if err := ask(conn, 2*time.Second); err != nil {
		t.Fatal("plain:", err)
	}
	p.Delay(50 * time.Millisecond)
	begun := time.Now()
	if err := ask(conn, 2*time.Second); err != nil || time.Since(begun) < 100*time.Millisecond {
		t.Errorf("delayed: %v after %s", err, time.Since(begun))
	}
	p.Delay(0)
	p.Stall()
	timeout := net.Error(nil)
	if err := ask(conn, 50*time.Millisecond); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("stalled: %v, want a timeout", err)
	}
	p.Heal()
	p.Cut()
	if err := ask(conn, 2*time.Second); err == nil {
		t.Error("cut: the connection works")
	}
	if again, err := net.Dial("tcp", p.Addr()); err == nil { // it may also be reset at once
		defer again.Close()
		if err := ask(again, 2*time.Second); err == nil {
			t.Error("cut: a new connection works")
		}
	}
	p.Heal()
	if err := ask(dial(t, p), 2*time.Second); err != nil {
		t.Error("healed:", err)
	}
}
