package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"corrosion/schema/pause"
)

// Free ports are looked for below the range that systems hand out to outgoing
// connections: there, a client that dials a stopped server could meet itself.
const (
	freePortFirst = 20000
	freePortCount = 12000
	freePortTries = 200
)

const loopback = "127.0.0.1"

// hostPort joins the loopback address and a port.
func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// choosePorts returns one distinct port for each wanted one: the wanted port
// where it is free, a free one where it is taken or 0.
func choosePorts(ctx context.Context, wanted ...int) ([]int, error) {
	ports := make([]int, len(wanted))
	for i, want := range wanted {
		// Each listener stays open until all ports are chosen, so that no two agree.
		listener, err := listenNear(ctx, want)
		if err != nil {
			return nil, err
		}
		defer listener.Close() //nolint:errcheck // only held to keep the port
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

func listenNear(ctx context.Context, want int) (net.Listener, error) {
	if want != 0 {
		if listener, err := listenPatiently(ctx, want); err == nil {
			return listener, nil
		}
	}
	for range freePortTries {
		if listener, err := listen(ctx, freePortFirst+rand.IntN(freePortCount)); err == nil {
			return listener, nil
		}
	}
	return nil, fmt.Errorf("find a free port on %s: %d tries", loopback, freePortTries)
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", hostPort(port))
}

// portPatience is how long a taken port is looked at: a program that is being started holds what its parent had open until
// it has become another, so that a port that was just given up may seem to be taken.
const portPatience = 300 * time.Millisecond

func listenPatiently(ctx context.Context, port int) (net.Listener, error) {
	for begun := time.Now(); ; {
		listener, err := listen(ctx, port)
		if err == nil || time.Since(begun) > portPatience || !pause.For(ctx, 5*time.Millisecond) {
			return listener, err
		}
	}
}

// requireFree fails when a server could not listen on one of the ports now.
func requireFree(ctx context.Context, ports ...int) error {
	for _, port := range ports {
		listener, err := listenPatiently(ctx, port)
		if err != nil {
			return fmt.Errorf("port %d is taken by another process", port)
		}
		_ = listener.Close()
	}
	return nil
}

// portChoices is how often a server that does not start takes other ports, because those it chose were taken meanwhile.
const portChoices = 5

// onFreePorts starts a server on ports of choosePorts; start leaves nothing behind when it fails.
func onFreePorts(ctx context.Context, start func(ports []int) error, wanted ...int) error {
	for choice := 1; ; choice++ {
		ports, err := choosePorts(ctx, wanted...)
		if err != nil {
			return err
		}
		if err = start(ports); err == nil || ctx.Err() != nil || choice == portChoices || requireFree(ctx, ports...) == nil {
			return err
		}
	}
}
