package aggregator

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
)

// Config says how an aggregator works. Start from DefaultConfig.
type Config struct {
	// PostgresURL is for locks, which need connections of their own.
	PostgresURL string
	// Instance names this aggregator in runs and locks, at most 100 bytes.
	Instance string
	// VerifySchedule is when every changed hour is verified, five cron fields in UTC.
	VerifySchedule string
	// VerifyAllSchedule is when every hour is verified whose rows are there, changed or not.
	VerifyAllSchedule string
	// WatchEvery is how often it is looked for late samples and for a ClickHouse that was started anew; 1s to 10m.
	WatchEvery time.Duration
	// QuietFor is how long a day before today must have taken no samples before it is verified ahead of the schedule, and
	// BackfillEvery how often at most that happens while samples keep coming.
	QuietFor, BackfillEvery time.Duration
	// LockLease is how long inserts are held off at most by one lock; 1s to 20s. A killed aggregator blocks for so long.
	LockLease time.Duration
	// HealLimit bounds the healing of one day; 10s to 1h.
	HealLimit time.Duration
}

// DefaultConfig needs PostgresURL.
func DefaultConfig() Config {
	host, _ := os.Hostname()
	return Config{
		Instance: fmt.Sprintf("%.60s-%d-%s", host, os.Getpid(), uuid.NewString()[:8]), VerifySchedule: "5 * * * *", VerifyAllSchedule: "35 4 * * *",
		WatchEvery: 5 * time.Second, QuietFor: 15 * time.Second, BackfillEvery: 10 * time.Minute,
		LockLease: 5 * time.Second, HealLimit: 10 * time.Minute,
	}
}

// Validate names every setting that cannot work.
func (c *Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("aggregator: "+format, args...))
		}
	}
	within := func(d, least, most time.Duration) bool { return d >= least && d <= most }
	check(c.PostgresURL != "", "PostgresURL is missing")
	check(c.Instance != "" && len(c.Instance) <= 100, "Instance %q: want 1 to 100 bytes", c.Instance)
	check(within(c.WatchEvery, time.Second, 10*time.Minute), "WatchEvery %s: want 1s to 10m", c.WatchEvery)
	check(c.QuietFor >= 0, "QuietFor %s: want 0 or more", c.QuietFor)
	check(c.BackfillEvery >= c.QuietFor, "BackfillEvery %s: want at least QuietFor, %s", c.BackfillEvery, c.QuietFor)
	check(within(c.LockLease, time.Second, 20*time.Second), "LockLease %s: want 1s to 20s", c.LockLease)
	check(within(c.HealLimit, 10*time.Second, time.Hour), "HealLimit %s: want 10s to 1h", c.HealLimit)
	return errors.Join(faults...)
}
