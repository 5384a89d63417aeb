package main

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/ingest/publish"
	"corrosion/ingest/simulate"
)

type simulateCommand struct {
	services
	logging
	publishFlags
	Servers  int           `default:"50" help:"How many game servers."`
	Interval time.Duration `default:"10s" help:"Time between two samples of one server."`
	Rate     float64       `help:"Samples per second over all servers; sets the interval instead."`
	Duration time.Duration `help:"Stop after this time; unset = until Ctrl-C."`
	Seed     uint64        `default:"1" help:"Chooses the servers; the same seed gives the same."`
	Batch    int           `default:"1" help:"Samples in one message, 1 to 10,000."`
}

// publishFlags say for whom and how samples are published.
type publishFlags struct {
	License     string `required:"" help:"The license to publish for."`
	PerServer   bool   `help:"Publish on a subject per server, which spreads one license over all partitions."`
	Compression string `default:"none" enum:"none,gzip,zstd" help:"Compression of messages: ${enum}."`
}

// open connects a publisher with as many samples a message as batch.
func (f publishFlags) open(s *services, l logging, e *env, batch int) (*publish.Publisher, error) {
	license, err := uuid.Parse(f.License)
	if err != nil {
		return nil, fmt.Errorf("--license %q is not a UUID", f.License)
	}
	if err := s.find(&s.NATSURL); err != nil {
		return nil, err
	}
	config := publish.DefaultConfig(license)
	config.PerServer, config.Compression, config.BatchSamples = f.PerServer, publish.Compression(f.Compression), batch
	config.Logger = l.logger(e)
	if batch == 1 {
		config.InFlight = 4096 // single samples are small: more of them must be under way to fill the pipe
	}
	return publish.Open(s.NATSURL, config)
}

// Run publishes until it is told to stop and prints what it sent.
func (c *simulateCommand) Run(e *env) error {
	publisher, err := c.open(&c.services, c.logging, e, c.Batch)
	if err != nil {
		return err
	}
	defer publisher.Close()
	options := simulate.DefaultOptions()
	options.Servers, options.Interval, options.Rate, options.Duration, options.Seed = c.Servers, c.Interval, c.Rate, c.Duration, c.Seed
	options.Publisher, options.Logger = publisher, c.logger(e)
	live := newProgress(e.stderr, "simulating", "samples stored by JetStream")
	options.Progress = func(r simulate.Report) { live.update(int64(r.Acked), 0) }
	report, err := simulate.Run(e.ctx, options)
	live.finish()
	fmt.Fprintln(e.stdout, report)
	return err
}
