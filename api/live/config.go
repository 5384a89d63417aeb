package live

import (
	"errors"
	"fmt"
	"time"
)

// Config are the settings of a Hub.
type Config struct {
	// FrameEvery is the least time between two frames of a license.
	FrameEvery time.Duration
	// SilentAfter is how long a server may say nothing and still count; one whose samples are meant to be further apart
	// may miss one of them. Samples that are older than Forget are
	// not looked at: somebody backfills.
	SilentAfter, Forget time.Duration
	// SeedWindow is how far back newest samples are looked for in ClickHouse, SeedTimeout how long that may take, and
	// SeedWait how long a first listener waits for it.
	SeedWindow, SeedTimeout, SeedWait time.Duration
	// SeedRetry is the first wait after a try that did not work; it doubles up to a minute.
	SeedRetry time.Duration
	// Linger is how long a license is followed after its last listener.
	Linger time.Duration
	// CheckEvery is how often licenses and sessions of listeners are looked at, BookEvery how often what is written of
	// servers is read again.
	CheckEvery, BookEvery time.Duration
	// MaxServers bounds the servers of a license that are kept.
	MaxServers int
	// MaxViews bounds the different selections of servers of a license.
	MaxViews int
	// MaxListeners bounds the listeners of this process, the others those of one license and of one address.
	MaxListeners, MaxLicenseListeners, MaxAddressListeners int
	// PendingMessages and PendingBytes bound what waits of a license between NATS and us; more is dropped and counted.
	PendingMessages, PendingBytes int
}

// DefaultConfig makes samples visible within a quarter of a second, and lets 10,000 servers and 5,000 listeners be.
func DefaultConfig() Config {
	return Config{
		FrameEvery: 250 * time.Millisecond, SilentAfter: 5 * time.Minute, Forget: 24 * time.Hour,
		SeedWindow: 15 * time.Minute, SeedTimeout: 10 * time.Second, SeedWait: 3 * time.Second, SeedRetry: time.Second,
		Linger: 30 * time.Second, CheckEvery: 3 * time.Second, BookEvery: 15 * time.Second,
		MaxServers: 10_000, MaxViews: 64, MaxListeners: 5_000, MaxLicenseListeners: 1_000, MaxAddressListeners: 100,
		PendingMessages: 65_536, PendingBytes: 32 << 20,
	}
}

// Validate names every setting that makes no sense.
func (c Config) Validate() error {
	var faults []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"FrameEvery", c.FrameEvery}, {"SilentAfter", c.SilentAfter}, {"Forget", c.Forget}, {"SeedWindow", c.SeedWindow},
		{"SeedTimeout", c.SeedTimeout}, {"SeedWait", c.SeedWait}, {"SeedRetry", c.SeedRetry}, {"Linger", c.Linger},
		{"CheckEvery", c.CheckEvery}, {"BookEvery", c.BookEvery},
	} {
		if d.value <= 0 {
			faults = append(faults, fmt.Errorf("live: %s must be positive", d.name))
		}
	}
	if c.Forget < c.SilentAfter {
		faults = append(faults, errors.New("live: Forget must be at least SilentAfter"))
	}
	if c.MaxServers < 1 || c.MaxViews < 1 || c.PendingMessages < 1 || c.PendingBytes < 1 {
		faults = append(faults, errors.New("live: MaxServers, MaxViews, PendingMessages and PendingBytes must be positive"))
	}
	if c.MaxAddressListeners < 1 || c.MaxLicenseListeners < 1 || c.MaxListeners < max(c.MaxLicenseListeners, c.MaxAddressListeners) {
		faults = append(faults, errors.New("live: MaxLicenseListeners and MaxAddressListeners must be at least 1 and MaxListeners no less than either"))
	}
	return errors.Join(faults...)
}
