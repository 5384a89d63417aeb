package main

import (
	"log/slog"
	"os"

	"corrosion/deploy/agent"
)

// agentCommand is the companion agent; its flags are those of the small binary too.
type agentCommand struct{ agent.Flags }

// Run works until the first signal.
func (c *agentCommand) Run(e *env) error {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // the enum has been checked
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: level}))
	return c.Start(e.ctx, log, agent.DefaultConfig().Version, os.Getenv)
}
