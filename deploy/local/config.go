package local

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
)

// EnvClickHouseBinary names an official clickhouse binary to run instead of
// the packaged engine.
const EnvClickHouseBinary = "CORROSION_CLICKHOUSE_BIN"

// Config says what Start starts and where.
type Config struct {
	// DataDir holds everything; it is made when absent.
	DataDir string
	// A service with a URL is used as it is and not started. ClickHouseURL is
	// the native one; ClickHouseHTTPURL goes with it.
	NATSURL, ClickHouseURL, ClickHouseHTTPURL, PostgresURL string
	// Ports are taken when free, else others are chosen; 0 = any.
	NATSPort, ClickHousePort, ClickHouseHTTPPort, PostgresPort int
	// ClickHouseBinary: see EnvClickHouseBinary.
	ClickHouseBinary string
	// ClickHouseMemory bounds that server in bytes; at least 512 MiB.
	ClickHouseMemory int64
	// NATSMaxStore bounds JetStream's files in bytes.
	NATSMaxStore int64
	// Authenticate decides about NATS users other than the platform's.
	Authenticate Authenticate
	// Logger hears of crashes and restarts; nil = silence.
	Logger *slog.Logger
	// Progress hears of each step, from several goroutines; nil = nobody.
	Progress func(Event)
}

// Event is one step of a service on its way up or down.
type Event struct {
	// Service is nats, clickhouse or postgres.
	Service string
	// Phase is starting, ready, failed, stopping or stopped.
	Phase string
	// Elapsed is the time since the step before began.
	Elapsed time.Duration
}

// DefaultConfig has the usual ports, ./data, and the bounds that suit this
// machine.
func DefaultConfig() Config {
	return Config{
		DataDir: "data", NATSPort: 4222, ClickHousePort: 9000, ClickHouseHTTPPort: 8123, PostgresPort: 5432,
		ClickHouseBinary: os.Getenv(EnvClickHouseBinary), ClickHouseMemory: defaultMemory(), NATSMaxStore: defaultNATSStore,
	}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	if c.DataDir == "" {
		faults = append(faults, errors.New("data directory is empty"))
	}
	for name, port := range map[string]int{"NATS": c.NATSPort, "ClickHouse": c.ClickHousePort,
		"ClickHouse HTTP": c.ClickHouseHTTPPort, "PostgreSQL": c.PostgresPort} {
		if port < 0 || port > 65535 {
			faults = append(faults, fmt.Errorf("%s port %d is not between 0 and 65535", name, port))
		}
	}
	if c.ClickHouseMemory < leastMemory {
		faults = append(faults, fmt.Errorf("ClickHouse memory of %d bytes is below %d", c.ClickHouseMemory, leastMemory))
	}
	if c.NATSMaxStore <= 0 {
		faults = append(faults, fmt.Errorf("NATS store of %d bytes is not above 0", c.NATSMaxStore))
	}
	faults = append(faults,
		checkURL("NATS", c.NATSURL, "nats", "tls", "ws", "wss"),
		checkURL("ClickHouse", c.ClickHouseURL, "clickhouse", "tcp"),
		checkURL("ClickHouse HTTP", c.ClickHouseHTTPURL, "http", "https"),
		checkURL("PostgreSQL", c.PostgresURL, "postgres", "postgresql"))
	return errors.Join(faults...)
}

// checkURL never repeats the URL: it may hold a password. It may name several hosts, so only its scheme is looked at.
func checkURL(name, raw string, schemes ...string) error {
	if raw == "" {
		return nil
	}
	scheme, rest, found := strings.Cut(raw, "://")
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if hosts := authority[strings.LastIndexByte(authority, '@')+1:]; !found || hosts == "" {
		return fmt.Errorf("%s URL is not a URL with a host", name)
	}
	if !slices.Contains(schemes, scheme) {
		return fmt.Errorf("%s URL begins with another scheme than one of %q", name, schemes)
	}
	return nil
}
