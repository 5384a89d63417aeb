package query

import (
	"context"
	"errors"
	"time"
)

// Config bounds what one request may ask for and cost.
type Config struct {
	// Timeout ends a query, here and in ClickHouse.
	Timeout time.Duration
	// MaxMemory is what one query may use in ClickHouse, in bytes; 0 leaves it to the server's own limits.
	MaxMemory uint64
	// Concurrency is how many queries of one request may run at the same time.
	Concurrency int
	// DefaultPoints is how many points a series has at most when neither step nor max_points is given.
	DefaultPoints int
	// MaxPoints bounds the points of one series, MaxValues those of all series together.
	MaxPoints int
	MaxValues int
	// ExactPercentileSamples is up to how many raw samples percentiles are exact, at up to 24 bytes of ClickHouse's memory
	// each; above it they come from the sketch that the hours keep, which is off by less than 1 %.
	ExactPercentileSamples uint64
	// RetentionFor is how long a retention read from ClickHouse is believed.
	RetentionFor time.Duration
	// OnQuery hears of every statement that has ended, by its name; nil = nobody does. It must not wait.
	OnQuery func(ctx context.Context, statement string, took time.Duration, err error)
}

// DefaultConfig suits two cores: exact percentiles of a million samples, a day of 115 servers at 10 s, take a tenth of a second.
func DefaultConfig() Config {
	return Config{
		Timeout:                30 * time.Second,
		MaxMemory:              1 << 30,
		Concurrency:            2,
		DefaultPoints:          500,
		MaxPoints:              11_000,
		MaxValues:              200_000,
		ExactPercentileSamples: 1_000_000,
		RetentionFor:           30 * time.Second,
	}
}

// Validate names the first setting that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.Timeout <= 0:
		return errors.New("query: Timeout must be positive")
	case c.Concurrency < 1:
		return errors.New("query: Concurrency must be at least 1")
	case c.MaxPoints < 1 || c.MaxValues < c.MaxPoints:
		return errors.New("query: MaxPoints must be at least 1 and MaxValues no less")
	case c.DefaultPoints < 1 || c.DefaultPoints > c.MaxPoints:
		return errors.New("query: DefaultPoints must be from 1 to MaxPoints")
	case c.RetentionFor < 0:
		return errors.New("query: RetentionFor must not be negative")
	}
	return nil
}
