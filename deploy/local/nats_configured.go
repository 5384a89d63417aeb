package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

// NATSVersion is the version of the nats-server that is built in.
const NATSVersion = server.VERSION

// ConfiguredNATS is the built-in nats-server with nothing but a configuration file of nats-server's own, as one of a
// cluster runs.
type ConfiguredNATS struct{ server *server.Server }

// NewConfiguredNATS reads the configuration; nothing listens before Run. It fails for what nats-server refuses, and for a
// server without JetStream, which would lose what it cannot hand on.
func NewConfiguredNATS(configFile string) (*ConfiguredNATS, error) {
	nothing := func() {} // of --version and --help, which are ours
	options, err := server.ConfigureOptions(flag.NewFlagSet("nats-server", flag.ContinueOnError), []string{"--config", configFile}, nothing, nothing, nothing)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of NATS: %w", err)
	}
	if !options.JetStream {
		return nil, fmt.Errorf("read the configuration of NATS: %s does not turn JetStream on: jetstream { store_dir: … }", configFile)
	}
	options.NoSigs = true // signals are the program's
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("set up NATS: %w", err)
	}
	return &ConfiguredNATS{s}, nil
}

// Run serves until ctx ends, then steps down from what this server leads in its cluster and stops, with all that JetStream
// acknowledged on disk. A value from reload has the configuration read again. The log goes where the configuration says,
// else to stderr. Faults that nats-server cannot go on with end the program.
func (n *ConfiguredNATS) Run(ctx context.Context, reload <-chan os.Signal) error {
	n.server.ConfigureLogger()
	started := make(chan struct{})
	go func() { // returns once streams are recovered
		defer close(started)
		n.server.Start()
	}()
	ended := make(chan struct{})
	go func() { // ends with the server
		<-started
		n.server.WaitForShutdown()
		close(ended)
	}()
	for {
		select {
		case <-reload:
			if err := n.server.Reload(); err != nil {
				n.server.Errorf("the configuration stays as it was: %v", err)
			}
		case <-ctx.Done():
			<-started
			n.server.Shutdown()
			<-ended
			return nil
		case <-ended:
			return errors.New("nats-server stopped by itself; its log says why")
		}
	}
}
