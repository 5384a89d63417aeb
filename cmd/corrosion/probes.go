package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"corrosion/api"
)

// probing is where a role that serves no API tells how it is.
type probing struct {
	ProbeListen string `env:"CORROSION_PROBE_LISTEN" placeholder:"ADDRESS" help:"Address of /livez, /readyz and /metrics of this process; unset = nowhere."`
}

// probeTimeout bounds the checks of /readyz, and the reading of a prober's request.
const probeTimeout = 3 * time.Second

// startProbes answers probes until close.
func (r *roles) startProbes(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--probe-listen: %w", err)
	}
	server := &http.Server{Handler: api.ProbeHandler(r.readiness(), r.registry, probeTimeout), ReadTimeout: probeTimeout, IdleTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }() // Shutdown ends it
	r.onClose("probes", func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	})
	r.log.Info("probes are answered", "at", "http://"+listener.Addr().String()+"/readyz")
	return nil
}
