package chaos

import (
	"errors"
	"flag"
	"fmt"
	"time"
)

// Config says how much chaos there is. Start from DefaultConfig.
type Config struct {
	// Seed decides samples, messages, faults and their order; moments still depend on the machine.
	Seed uint64
	// Kills is how many kill -9 the run has; it ends with them, or when Duration is over.
	Kills    int
	Duration time.Duration
	// Rate is how many samples a second are published.
	Rate int
	// Faults says which kinds happen; see selectFaults.
	Faults string
	// StrictRollup makes an hour that differs from its rows after the aggregator's last pass a failure.
	StrictRollup bool
	// PublisherDedup wants a message that is published again, and a sample with the same boot and n, stored once.
	PublisherDedup bool
	// CrossRepeats repeats samples also by way of the other subject: of the license, and of the server.
	CrossRepeats bool
	// Results is a file that the table is appended to; empty: none.
	Results string
	// Dir keeps the journal and the ingesters' logs; empty: a directory that goes when the test passes.
	Dir string
	// AckWait and Takeover are the ingester's, StreamMaxBytes bounds the streams so that they fill while ClickHouse is away.
	AckWait, Takeover time.Duration
	StreamMaxBytes    int64
}

// DefaultConfig is the short run.
func DefaultConfig() Config {
	return Config{
		Seed: 1, Kills: 10, Duration: 2 * time.Minute, Rate: 2000, Faults: "all", StrictRollup: true, PublisherDedup: true, CrossRepeats: true,
		AckWait: 2 * time.Second, Takeover: 2 * time.Second, StreamMaxBytes: 6 << 20,
	}
}

// Flags registers the settings with fs, as -chaos.kills and so on.
func Flags(fs *flag.FlagSet) *Config {
	c := DefaultConfig()
	fs.Uint64Var(&c.Seed, "chaos.seed", c.Seed, "decides samples, faults and their order")
	fs.IntVar(&c.Kills, "chaos.kills", c.Kills, "kill -9 so many times, then verify")
	fs.DurationVar(&c.Duration, "chaos.duration", c.Duration, "verify after this time at the latest")
	fs.IntVar(&c.Rate, "chaos.rate", c.Rate, "samples published a second")
	fs.StringVar(&c.Faults, "chaos.faults", c.Faults, "all, clean, or kinds with commas between; -kind takes one away")
	fs.BoolVar(&c.StrictRollup, "chaos.strict-rollup", c.StrictRollup, "fail for hours of rollups that differ from their rows")
	fs.BoolVar(&c.PublisherDedup, "chaos.publisher-dedup", c.PublisherDedup, "fail for publishers' repetitions that are stored")
	fs.BoolVar(&c.CrossRepeats, "chaos.cross-repeats", c.CrossRepeats, "repeat samples also by way of the other subject")
	fs.StringVar(&c.Results, "chaos.results", c.Results, "append the table to this file")
	fs.StringVar(&c.Dir, "chaos.dir", c.Dir, "keep the journal and logs here")
	fs.DurationVar(&c.AckWait, "chaos.ack-wait", c.AckWait, "the ingester's AckWait")
	fs.DurationVar(&c.Takeover, "chaos.takeover", c.Takeover, "the ingester's Takeover")
	fs.Int64Var(&c.StreamMaxBytes, "chaos.stream-bytes", c.StreamMaxBytes, "bound of the streams")
	return &c
}

// Validate names every setting that cannot work.
func (c *Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("chaos: "+format, args...))
		}
	}
	check(c.Kills >= 0, "%d kills: want 0 or more", c.Kills)
	check(c.Duration > 0, "duration %s: want more than 0", c.Duration)
	check(c.Rate >= 10 && c.Rate <= 100_000, "rate %d: want 10 to 100,000", c.Rate)
	check(c.AckWait >= time.Second, "ack wait %s: want at least 1s", c.AckWait)
	check(c.Takeover >= time.Second, "takeover %s: want at least 1s", c.Takeover)
	check(c.StreamMaxBytes >= 2<<20, "stream bytes %d: want at least 2 MiB", c.StreamMaxBytes)
	_, err := selectFaults(c.Faults)
	return errors.Join(append(faults, err)...)
}
