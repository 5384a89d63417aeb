package earlyaccess

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Config are the settings of early access.
type Config struct {
	// LaunchAt is what the countdown runs to.
	LaunchAt time.Time
	// PublicURL is where people reach the dashboard; links in mails begin with it.
	PublicURL string
	// MailEnabled tells that what stands in the outbox will be sent: then emails are confirmed by link.
	MailEnabled bool
	// ConfirmTTL is the life of links in mails, and how long a founding slot is held for who has not opened one.
	ConfirmTTL time.Duration
	// ChallengeTTL is how long a challenge may be solved.
	ChallengeTTL time.Duration
	// Work is what a proof must show.
	Work Work
	// Plain slows down who sends no proof of work, Proven who does, both by address and kind of request; Mail slows down
	// mails to one email, silently.
	Plain, Proven, Mail account.Throttle
	// Sweep is how often what has expired is removed.
	Sweep time.Duration
}

// DefaultConfig lets a hundred people behind one address join at once without a proof, and ten times as many with.
func DefaultConfig() Config {
	return Config{
		LaunchAt:   time.Date(2027, time.February, 28, 0, 0, 0, 0, time.UTC),
		PublicURL:  "http://127.0.0.1:8080",
		ConfirmTTL: 48 * time.Hour, ChallengeTTL: 15 * time.Minute, Work: DefaultWork(), Sweep: time.Hour,
		Plain:  account.Throttle{Free: 100, First: 10 * time.Second, Longest: time.Hour, Forget: 2 * time.Hour},
		Proven: account.Throttle{Free: 1000, First: 10 * time.Second, Longest: time.Hour, Forget: 2 * time.Hour},
		Mail:   account.Throttle{Free: 5, First: time.Minute, Longest: 6 * time.Hour, Forget: 24 * time.Hour},
	}
}

// Validate names every setting that makes no sense.
func (c Config) Validate() error {
	var faults []error
	for name, d := range map[string]time.Duration{"ConfirmTTL": c.ConfirmTTL, "ChallengeTTL": c.ChallengeTTL, "Sweep": c.Sweep} {
		if d < time.Second {
			faults = append(faults, fmt.Errorf("earlyaccess: %s must be at least 1s", name))
		}
	}
	for name, t := range map[string]account.Throttle{"Plain": c.Plain, "Proven": c.Proven, "Mail": c.Mail} {
		if err := t.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("earlyaccess: throttle %s %w", name, err))
		}
	}
	if c.LaunchAt.IsZero() {
		faults = append(faults, errors.New("earlyaccess: LaunchAt is missing"))
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		faults = append(faults, fmt.Errorf("earlyaccess: the public URL %q is not one", c.PublicURL))
	}
	return errors.Join(append(faults, c.Work.validate())...)
}

// Deps are what early access works with. All are required but Wake and Now.
type Deps struct {
	Store *store.Store
	// Keys seal challenges.
	Keys       *auth.Keys
	Registerer prometheus.Registerer
	// Wake is called after mail was put into the outbox.
	Wake func()
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service is early access. It is safe for concurrent use.
type Service struct {
	cfg    Config
	store  *store.Store
	keys   *auth.Keys
	wake   func()
	now    func() time.Time
	counts *prometheus.CounterVec
}

// NewService makes a Service.
func NewService(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Keys == nil || deps.Registerer == nil {
		return nil, errors.New("earlyaccess: Store, Keys and Registerer are required")
	}
	s := &Service{cfg: cfg, store: deps.Store, keys: deps.Keys, wake: deps.Wake, now: deps.Now}
	if s.wake == nil {
		s.wake = func() {}
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.counts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "corrosion_early_access_requests_total", Help: "Joins, founding claims and votes, by what became of them.",
	}, []string{"kind", "result"})
	if err := deps.Registerer.Register(s.counts); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return s, nil
}

// What may be refused. Texts are public.
var (
	ErrFull  = errors.New("all founding slots are taken")
	ErrItem  = errors.New("no such item of the roadmap")
	ErrPlace = errors.New("no such place on the list")
)

// ProofNeededError refuses who asks too often without a proof of work.
type ProofNeededError struct{ After time.Duration }

func (e *ProofNeededError) Error() string { return "too many requests without a proof of work" }

// Status is how early access stands.
type Status struct {
	LaunchAt       time.Time
	Signups        int64
	Founding       Founding
	MailConfirmed  bool
	Now            time.Time
	FoundersToHold time.Duration
}

// Founding are the slots of the founding program.
type Founding struct{ Total, Taken, Left int64 }

// Status reads it.
func (s *Service) Status(ctx context.Context) (Status, error) {
	now := s.now()
	row, err := s.store.Queries().ReadEarlyAccess(ctx, now)
	if err != nil {
		return Status{}, fmt.Errorf("read early access: %w", err)
	}
	return Status{
		LaunchAt: s.cfg.LaunchAt, Signups: row.Signups, Now: now, MailConfirmed: s.cfg.MailEnabled, FoundersToHold: s.cfg.ConfirmTTL,
		Founding: Founding{Total: row.Slots, Taken: row.Taken, Left: row.Slots - row.Taken},
	}, nil
}

// The kinds of requests that are counted.
const (
	kindSignup   = "signup"
	kindFounding = "founding"
	kindVote     = "vote"
)

// Asker is who asks: an address, with a proof of work or without.
type Asker struct {
	Address string
	// Proof is nil where none was sent. It has been checked.
	Proof *Proof
	// Trapped tells that a field was filled in that people do not see.
	Trapped bool
}

// admit counts the request by its address. It fails with a ProofNeededError or an account.ThrottledError.
func (s *Service) admit(ctx context.Context, kind string, from Asker) error {
	limit, counted := s.cfg.Plain, "early-"+kind
	if from.Proof != nil {
		limit, counted = s.cfg.Proven, counted+"-proven"
	}
	err := limit.Count(ctx, s.store.Queries(), s.now(), counted, account.Network(from.Address))
	var slowed *account.ThrottledError
	if errors.As(err, &slowed) {
		s.count(kind, "slowed")
		if from.Proof == nil {
			return &ProofNeededError{After: slowed.After}
		}
	}
	return err
}

func (s *Service) count(kind, result string) { s.counts.WithLabelValues(kind, result).Inc() }

// spend uses the asker's proof within q's transaction. It fails with ErrProof where it was used before.
func (s *Service) spend(ctx context.Context, q *pg.Queries, from Asker) error {
	if from.Proof == nil {
		return nil
	}
	rows, err := q.SpendProof(ctx, pg.SpendProofParams{Digest: from.Proof.digest, ExpiresAt: from.Proof.expires})
	if err != nil {
		return fmt.Errorf("use the proof: %w", err)
	}
	if rows == 0 {
		return ErrProof
	}
	return nil
}
