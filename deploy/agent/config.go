package agent

import (
	"crypto/ed25519"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Config are the settings of an agent.
type Config struct {
	License  uuid.UUID
	ServerID string
	// Dir is the plugin directory; it must be there.
	Dir string
	// NATSURL has neither user nor password; those are User and Password.
	NATSURL, User, Password string
	// Keys are those of the platform; what none of them signed is refused.
	Keys []ed25519.PublicKey
	// Version is what heartbeats say.
	Version string
	// Heartbeat is how often the agent says that it is there and what lies on the disk. Rehash is how often files are
	// read for it even where neither size nor time of change says that they changed.
	Heartbeat time.Duration
	Rehash    time.Duration
	// Parallel bounds the modules that are worked on at once.
	Parallel int
	// Keep is how long versions are kept that nothing refers to any more.
	Keep     time.Duration
	Download DownloadConfig
	Logger   *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Reached is called at named points of the work, so that tests can end the process there; nil = nobody asks.
	Reached func(point string)
}

// DownloadConfig bounds downloads.
type DownloadConfig struct {
	// MaxBytes bounds files whose size the command does not say.
	MaxBytes int64
	// Total bounds a download with all its tries.
	Total time.Duration
	// Window is how long at least MinBytes may take; slower is broken off and begun again where it ended.
	Window   time.Duration
	MinBytes int64
	// Tries is how often it is begun before it fails; Wait is the pause after the first try, doubled with each.
	Tries int
	Wait  time.Duration
}

// DefaultConfig has bounds for plugin files over a home connection; who the agent is must be added.
func DefaultConfig() Config {
	return Config{
		Version: "dev", Heartbeat: 30 * time.Second, Rehash: 10 * time.Minute, Parallel: 4, Keep: 30 * 24 * time.Hour,
		Download: DownloadConfig{
			MaxBytes: 512 << 20, Total: 30 * time.Minute, Window: 30 * time.Second, MinBytes: 16 << 10, Tries: 6, Wait: time.Second,
		},
	}
}

// Validate names every setting that makes no sense.
func (c Config) Validate() error {
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New("agent: "+what))
		}
	}
	need(c.License != uuid.Nil, "the license is missing")
	need(validServerID(c.ServerID), "the server id must be 1 to 64 of A-Z a-z 0-9 _ -")
	need(c.Dir != "", "the plugin directory is missing")
	need(c.NATSURL != "" && c.User != "", "NATS URL and user are missing: give the credentials that `corrosion agent-user create` prints")
	need(len(c.Keys) > 0, "the platform's key is missing: give the credentials that `corrosion agent-user create` prints")
	need(c.Heartbeat > 0 && c.Rehash > 0 && c.Keep > 0 && c.Parallel > 0, "Heartbeat, Rehash, Keep and Parallel must be positive")
	d := c.Download
	need(d.MaxBytes > 0 && d.Total > 0 && d.Window > 0 && d.MinBytes > 0 && d.Tries > 0 && d.Wait > 0, "the bounds of downloads must be positive")
	return errors.Join(faults...)
}

func validServerID(id string) bool {
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return len(id) >= 1 && len(id) <= 64
}
