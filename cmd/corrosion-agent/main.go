// Command corrosion-agent is `corrosion agent` alone: one static binary for the machine of a game server.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"corrosion/deploy/agent"
)

// version is set by the linker.
var version = "dev"

func main() {
	var flags agent.Flags
	kong.Parse(&flags, kong.Name("corrosion-agent"), kong.Vars{"version": version},
		kong.Description("Puts modules into a game server's plugin directory and says what became of them."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var level slog.Level
	_ = level.UnmarshalText([]byte(flags.LogLevel)) // the enum has been checked
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if err := flags.Start(ctx, log, version, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "corrosion-agent:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}
