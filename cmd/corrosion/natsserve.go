package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"corrosion/deploy/local"
)

type natsServeCommand struct {
	Config string `short:"c" required:"" env:"CORROSION_NATS_CONFIG" help:"Configuration file, as nats-server reads it: listen, jetstream, cluster with name and routes, tls, include. SIGHUP reads it again."`
	Check  bool   `help:"Read the configuration, say whether it can be used, and exit."`
}

// Run serves until the first signal.
func (c *natsServeCommand) Run(e *env) error {
	server, err := local.NewConfiguredNATS(c.Config)
	if err != nil || c.Check {
		return err
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	fmt.Fprintf(e.stderr, "nats-server %s; stop with Ctrl-C\n", local.NATSVersion)
	return server.Run(e.ctx, reload)
}
