package local

import (
	"errors"
	"net"
	"testing"
	"time"
)

func hold(t *testing.T, port int) net.Listener {
	t.Helper()
	listener, err := listen(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// A server whose port is taken between the choice and its start gets another one; what fails for other reasons fails at once.
func TestPortTakenAfterTheChoice(t *testing.T) {
	failed := errors.New("it does not start")
	var chosen []int
	err := onFreePorts(t.Context(), func(ports []int) error {
		chosen = append(chosen, ports[0])
		if len(chosen) == 1 {
			hold(t, ports[0])
			return failed
		}
		return nil
	}, 0)
	if err != nil || len(chosen) != 2 || chosen[0] == chosen[1] {
		t.Errorf("chosen %v: %v", chosen, err)
	}
	starts := 0
	err = onFreePorts(t.Context(), func([]int) error { starts++; return failed }, 0)
	if !errors.Is(err, failed) || starts != 1 {
		t.Errorf("%d starts: %v", starts, err)
	}
}

// A port that is given up a moment later is the wanted one, as is one that a program under way to another still holds.
func TestPortGivenUpLate(t *testing.T) {
	listener := hold(t, 0)
	port := listener.Addr().(*net.TCPAddr).Port
	if err := requireFree(t.Context(), port); err == nil {
		t.Errorf("port %d is held, and said to be free", port)
	}
	time.AfterFunc(portPatience/4, func() { _ = listener.Close() })
	ports, err := choosePorts(t.Context(), port)
	if err != nil || ports[0] != port {
		t.Errorf("chosen %v in place of %d: %v", ports, port, err)
	}
}
