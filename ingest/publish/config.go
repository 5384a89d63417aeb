package publish

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// Compression is how bodies travel.
type Compression string

// The compressions of a message body.
const (
	Plain Compression = "none"
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
)

// Config says what a Publisher publishes for whom, and how hard it pushes.
type Config struct {
	// License owns the samples; it is in every subject.
	License uuid.UUID
	// PerServer publishes each server's samples on the server's own subject, which spreads one license over all
	// partitions. Otherwise all go to the license's subject.
	PerServer bool
	// BatchSamples is how many samples a message holds at most, 1 to 10,000.
	BatchSamples int
	// InFlight is how many messages may wait for their acknowledgement, at least 1.
	InFlight int
	// Compression of bodies; those under a kilobyte go plain.
	Compression Compression
	// AckWait is how long a message may stay unanswered before it is sent again (with the same Nats-Msg-Id).
	AckWait time.Duration
	// RetryMin and RetryMax bound the backoff after a refusal; it doubles from the one to the other.
	RetryMin, RetryMax time.Duration
	// InboxPrefix is where acknowledgements come to; empty = "corrosion.<license>.reply", the only subject that a
	// game server's user may listen on. Used by Open; New takes the connection as it is.
	InboxPrefix string
	// User and Password sign in where the URL does not. Used by Open.
	User, Password string
	Logger         *slog.Logger
}

// DefaultConfig fits history and many servers: 500 samples make a message of about 200 kB, 60 kB in zstd, so that 64
// in flight bound the memory to some 15 MB.
func DefaultConfig(license uuid.UUID) Config {
	return Config{
		License:      license,
		BatchSamples: 500,
		InFlight:     64,
		Compression:  Zstd,
		AckWait:      30 * time.Second,
		RetryMin:     50 * time.Millisecond,
		RetryMax:     2 * time.Second,
	}
}

// Validate tells every fault of c at once.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(c.License != uuid.Nil, "license is missing")
	check(c.BatchSamples >= 1 && c.BatchSamples <= schema.MaxMessageSamples,
		"batch of %d samples: must be 1 to %d", c.BatchSamples, schema.MaxMessageSamples)
	check(c.InFlight >= 1, "in flight %d: must be at least 1", c.InFlight)
	check(c.Compression == Plain || c.Compression == Gzip || c.Compression == Zstd,
		"compression %q: must be none, gzip or zstd", c.Compression)
	check(c.AckWait > 0, "ack wait %v: must be above 0", c.AckWait)
	check(c.RetryMin > 0 && c.RetryMax >= c.RetryMin, "retry %v to %v: must be above 0 and in order", c.RetryMin, c.RetryMax)
	check(!strings.ContainsAny(c.InboxPrefix, "*> \t") && !strings.HasSuffix(c.InboxPrefix, "."),
		"inbox prefix %q: no wildcards, no dot at its end", c.InboxPrefix)
	return errors.Join(faults...)
}

func (c Config) inboxPrefix() string {
	if c.InboxPrefix != "" {
		return c.InboxPrefix
	}
	return "corrosion." + c.License.String() + ".reply"
}

func (c Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.New(slog.DiscardHandler)
}
