package installation

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/schema/command"
)

// Config are the settings of installations.
type Config struct {
	Policy Policy
	// Poll is how often a process looks for commands to send, Sweep how often for what silence has decided.
	Poll  time.Duration
	Sweep time.Duration
	// Lease is how long a process may be silent before another sends its commands; the same for all processes.
	Lease time.Duration
	// AckWait is after how long a command is delivered again that no agent acknowledged.
	AckWait time.Duration
	// Replicas are the copies of the stream of commands in a NATS cluster, MaxBytes its bound.
	Replicas int
	MaxBytes int64
	// Listeners bounds the statuses that are written at once, Backlog those that wait; more are dropped and counted: the
	// next heartbeats have them.
	Listeners, Backlog int
	// Online is how long ago an agent may have been heard of to be online.
	Online time.Duration
	// RolloutPoll is how often rollouts are looked at.
	RolloutPoll time.Duration
}

// DefaultConfig sends within a second and notices silence within some.
func DefaultConfig() Config {
	return Config{
		Policy: DefaultPolicy(), Poll: time.Second, Sweep: 5 * time.Second, Lease: 30 * time.Second, AckWait: 10 * time.Second,
		Replicas: 1, MaxBytes: 1 << 30, Listeners: 4, Backlog: 4096, Online: 2 * time.Minute, RolloutPoll: time.Second,
	}
}

// Validate names every setting that makes no sense.
func (c Config) Validate() error {
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New("installations: "+what))
		}
	}
	p := c.Policy
	need(p.Life >= time.Second && p.Silence > 0 && p.Backoff > 0, "Life must be at least 1s, Silence and Backoff positive")
	need(p.MaxTries >= 1, "MaxTries must be at least 1")
	need(c.Poll > 0 && c.Sweep > 0 && c.RolloutPoll > 0, "Poll, Sweep and RolloutPoll must be positive")
	need(c.Lease >= time.Second && c.AckWait >= 100*time.Millisecond, "Lease must be at least 1s, AckWait at least 100ms")
	need(c.Replicas >= 1 && c.MaxBytes > 0, "Replicas must be at least 1 and MaxBytes positive")
	need(c.Listeners >= 1 && c.Backlog >= c.Listeners, "Listeners must be at least 1 and Backlog no less")
	need(c.Online > 0, "Online must be positive")
	return errors.Join(faults...)
}

// Release is a version of a module that may be installed.
type Release struct {
	Module, Version, File, SHA256 string
	Size                          int64
	Needs                         []Need
}

// Need is a module that must be on the server first.
type Need struct{ Module, MinVersion string }

// Catalogue knows the modules.
type Catalogue interface {
	// Owned tells whether a license owns a module.
	Owned(ctx context.Context, license uuid.UUID, module string) (bool, error)
	// Release gives a version, the latest where that is "". It fails with ErrNoModule.
	Release(ctx context.Context, module, version string) (Release, error)
	// Link is a URL under which an agent can read the version's file until then, at least.
	Link(ctx context.Context, module, version string, until time.Time) (string, error)
}

// Stats measures servers for the guards of rollouts.
type Stats interface {
	// FPS is the median of the frames per second of servers within [from, to) and how many samples there were.
	FPS(ctx context.Context, license uuid.UUID, servers []string, from, to time.Time) (p50 float64, samples uint64, err error)
	// Servers are a license's servers that had a sample within [from, to).
	Servers(ctx context.Context, license uuid.UUID, from, to time.Time) ([]string, error)
}

// Deps are what a Manager works with. Pool, Catalogue and Signer are required.
type Deps struct {
	Pool      *pgxpool.Pool
	Catalogue Catalogue
	// Signer signs commands; *auth.Keys does.
	Signer command.Signer
	// NATSURL is that of the platform's user; "" = this process neither sends nor hears, others do.
	NATSURL string
	// AgentNATSURL is where agents reach NATS, without a user.
	AgentNATSURL string
	// Stats is needed for rollouts with a guard; nil refuses those.
	Stats Stats
	// Changed is told of every installation's changes, whichever process makes them, and must not wait; Missed, that some may
	// not have been told. nil: nobody is.
	Changed    func(license uuid.UUID, now Transition)
	Missed     func()
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// What can be wrong with a request.
var (
	ErrNoModule  = errors.New("no such module or version")
	ErrNotFound  = errors.New("no such installation")
	ErrNotOwned  = errors.New("the license does not own the module")
	ErrBusy      = errors.New("an installation of the module is under way on this server")
	ErrInstalled = errors.New("this version is installed on the server")
	ErrNeeded    = errors.New("a module on the server needs this one")
	ErrKeyReused = errors.New("the idempotency key belongs to another request")
	ErrNoBefore  = errors.New("there is no version before to go back to")
	ErrOverRange = errors.New("the file would be too large for agents")
)

// NeedsError names what a module needs and the license does not own.
type NeedsError struct{ Modules []string }

func (e *NeedsError) Error() string { return "the module needs others that the license does not own" }
