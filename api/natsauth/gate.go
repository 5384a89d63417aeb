package natsauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"corrosion/schema/pg"
)

// Login is what a connecting client shows. Address is its host, with or
// without a port.
type Login struct{ User, Password, Address string }

// Verdict is what becomes of a login.
type Verdict int

const (
	// Refused is for good: the client gets an authorization error.
	Refused Verdict = iota
	// Later ends the connection without an authorization error, because clients
	// give up for good after two of those: it may succeed another time.
	Later
	// Admitted gives the rights of the decision.
	Admitted
)

// Reasons why logins are denied; they are values of the label kind of
// corrosion_nats_denied_total.
const (
	DeniedPassword    = "password"
	DeniedOldPassword = "old-password"
	DeniedUnknown     = "unknown-user"
	DeniedSuspended   = "suspended"
	DeniedThrottled   = "throttled"
	DeniedUnavailable = "unavailable"
)

// Decision is the answer to a login. Denied is the reason when it is not
// Admitted. Name is what the connection is called, for the Warden; Until is
// when a password that was rotated away ends, zero for a current one.
type Decision struct {
	Verdict Verdict
	Denied  string
	Name    string
	Rights  Rights
	Until   time.Time
}

// Gate judges logins. It is safe for concurrent use.
type Gate struct {
	config   GateConfig
	book     *book
	throttle *throttle
	now      func() time.Time
	metrics  *Metrics
	log      *slog.Logger
	lines    *rate.Limiter
}

// GateDeps are what a Gate needs. Now is time.Now when nil, Logger silence.
type GateDeps struct {
	Store   Store
	Metrics *Metrics
	Logger  *slog.Logger
	Now     func() time.Time
}

// deniedLines bounds the log lines a second about denied logins: anybody can cause them.
const deniedLines = 5

// NewGate makes a gate.
func NewGate(config GateConfig, deps GateDeps) (*Gate, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Metrics == nil {
		deps.Metrics = NewMetrics(nil)
	}
	return &Gate{
		config: config, book: newBook(config, deps.Store, deps.Now), throttle: newThrottle(config.Throttle, deps.Now),
		now: deps.Now, metrics: deps.Metrics, log: deps.Logger, lines: rate.NewLimiter(deniedLines, deniedLines),
	}, nil
}

// Decide judges one login; it takes at most GateConfig.Lookup.
func (g *Gate) Decide(ctx context.Context, login Login) Decision {
	login.Address = addressOf(login.Address)
	decision, err := g.decide(ctx, login)
	if decision.Verdict == Admitted {
		return decision
	}
	g.metrics.denied(decision.Denied)
	if g.lines.Allow() {
		g.log.Warn("NATS login denied", "user", login.User, "address", login.Address, "reason", decision.Denied, "error", err)
	}
	return decision
}

func (g *Gate) decide(ctx context.Context, login Login) (Decision, error) {
	shown := newCredential(login.User, login.Password)
	switch g.throttle.look(login.Address, shown) {
	case standingWrong:
		return Decision{Verdict: Refused, Denied: DeniedPassword}, nil
	case standingBlocked:
		return Decision{Verdict: Later, Denied: DeniedThrottled}, nil
	}
	right := func(row pg.FindNATSUserRow) bool { return judge(row, login.Password, g.now()).Verdict == Admitted }
	row, known := g.book.recall(login.User)
	var err error
	if !known || !right(row) { // what is remembered never refuses: a password may be newer than it
		row, known, err = g.book.find(ctx, login.User, right)
	}
	if err != nil {
		return Decision{Verdict: Later, Denied: DeniedUnavailable}, err
	}
	if !known {
		g.throttle.wrongOnce(login.Address, shown)
		return Decision{Verdict: Refused, Denied: DeniedUnknown}, nil
	}
	decision := judge(row, login.Password, g.now())
	switch decision.Denied {
	case "":
		g.throttle.rightOnce(login.Address, shown)
	case DeniedPassword, DeniedOldPassword:
		g.throttle.wrongOnce(login.Address, shown)
	}
	return decision, nil
}

// judge compares in constant time; both digests are always looked at.
func judge(row pg.FindNATSUserRow, password string, now time.Time) Decision {
	digest := sha256.Sum256([]byte(password))
	current := subtle.ConstantTimeCompare(digest[:], row.PasswordSha256) == 1
	previous := subtle.ConstantTimeCompare(digest[:], row.PreviousSha256) == 1
	decision := Decision{Verdict: Admitted, Name: connectionName(row.Name, row.Generation), Rights: rightsOf(row)}
	switch {
	case current:
	case !previous:
		return Decision{Verdict: Refused, Denied: DeniedPassword}
	case !now.Before(*row.PreviousUntil):
		return Decision{Verdict: Refused, Denied: DeniedOldPassword}
	default:
		decision.Name, decision.Until = connectionName(row.Name, *row.PreviousGeneration), *row.PreviousUntil
	}
	if row.SuspendedAt != nil {
		return Decision{Verdict: Later, Denied: DeniedSuspended}
	}
	return decision
}

func rightsOf(row pg.FindNATSUserRow) Rights {
	if row.Kind == KindAgent {
		return AgentRights(row.LicenseID, row.ServerID)
	}
	return ServerRights(row.LicenseID)
}

// Forget makes the next logins of a license ask Postgres.
func (g *Gate) Forget(license uuid.UUID) { g.book.forget(license) }

// Expire makes the next login of every user ask Postgres; while Postgres is
// away, users stay known as long as GateConfig.Stale says.
func (g *Gate) Expire() { g.book.expire() }
