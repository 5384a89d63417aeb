package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"

	"corrosion/api/natsauth"
)

type natsCommand struct {
	Config natsConfigCommand `cmd:"" help:"Print what a nats-server's configuration must have so that the platform admits game servers and agents; makes its keys once."`
	Serve  natsServeCommand  `cmd:"" help:"Run the nats-server that is built in, with a configuration file of nats-server's own: one server of a cluster."`
}

type natsConfigCommand struct {
	Data    string `env:"CORROSION_DATA" default:"./data" help:"Where the key file is kept."`
	KeyFile string `name:"nats-callout-key-file" env:"CORROSION_NATS_CALLOUT_KEY_FILE" help:"Key file, made when absent (mode 0600); unset = nats-callout.json in the data directory."`
	Env     bool   `help:"Print the platform's environment instead, credentials included."`
	Server  string `default:"127.0.0.1:4222" help:"Host and port of that NATS server, for --env."`
}

// Run prints the configuration, or the environment that goes with it.
func (c *natsConfigCommand) Run(e *env) error {
	if _, _, err := net.SplitHostPort(c.Server); err != nil {
		return fmt.Errorf("--server %q is not a host and a port", c.Server)
	}
	path := c.KeyFile
	if path == "" {
		path = filepath.Join(c.Data, "nats-callout.json")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find the key file: %w", err)
	}
	keys, err := natsauth.LoadOrCreateKeys(path)
	if err != nil {
		return err
	}
	if c.Env {
		platform := url.URL{Scheme: "nats", User: url.UserPassword(keys.PlatformUser, keys.PlatformPassword), Host: c.Server}
		_, err := fmt.Fprintf(e.stdout, "CORROSION_NATS_URL=%s\nCORROSION_NATS_CALLOUT_KEY_FILE=%s\n", platform.String(), path)
		return err
	}
	text, err := keys.ServerConfig()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(e.stdout, text)
	_, noted := fmt.Fprintf(e.stderr, "keys: %s\nnow: put this into the configuration of every nats-server, and run the platform with what `corrosion nats config --env` prints\n", path)
	return errors.Join(err, noted)
}
