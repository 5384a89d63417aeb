package account

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"corrosion/api/auth"
	"corrosion/api/store"
)

// Config are the settings of accounts.
type Config struct {
	// AccessTTL is the life of an access token: what a revoked session or a changed role may outlive.
	AccessTTL time.Duration
	// SessionIdle is how long a session lasts without use, SessionLife how long at most.
	SessionIdle, SessionLife time.Duration
	// RefreshGrace is how long a used refresh token is forgiven, for two tabs at once and for lost answers.
	RefreshGrace time.Duration
	// ResetTTL and ConfirmTTL are the lives of links in mails.
	ResetTTL, ConfirmTTL time.Duration
	// Registration lets strangers make accounts.
	Registration bool
	// PublicURL is where people reach the dashboard; links in mails begin with it.
	PublicURL string
	// MailEnabled tells that what stands in the outbox will be sent.
	MailEnabled bool
	Throttles   Throttles
	// InviteTTL is the life of an invitation.
	InviteTTL time.Duration
	// MaxOwned bounds the licenses that one account makes, MaxInvitations those that wait in one license, and MaxKeys the API
	// keys of one.
	MaxOwned, MaxInvitations, MaxKeys int
	// KeyMemory is how long an API key that was looked up is remembered: what a revoked one may outlive. KeyUse is how often
	// the last use of keys is written down.
	KeyMemory, KeyUse time.Duration
	// Sweep is how often what has expired is removed, Keep how long it is kept after that.
	Sweep, Keep time.Duration
}

// DefaultConfig lets a session last a month unused and half a year in all.
func DefaultConfig() Config {
	const day = 24 * time.Hour
	return Config{
		AccessTTL: 15 * time.Minute, SessionIdle: 30 * day, SessionLife: 180 * day, RefreshGrace: 10 * time.Second,
		ResetTTL: time.Hour, ConfirmTTL: 2 * day, Registration: true, PublicURL: "http://127.0.0.1:8080",
		InviteTTL: 7 * day, MaxOwned: 20, MaxInvitations: 100, MaxKeys: 50, KeyMemory: 2 * time.Second, KeyUse: time.Minute,
		Throttles: DefaultThrottles(), Sweep: time.Hour, Keep: 7 * day,
	}
}

// Validate names every setting that makes no sense.
func (c Config) Validate() error {
	var faults []error
	for name, d := range map[string]time.Duration{
		"AccessTTL": c.AccessTTL, "SessionIdle": c.SessionIdle, "ResetTTL": c.ResetTTL, "ConfirmTTL": c.ConfirmTTL,
		"InviteTTL": c.InviteTTL, "KeyUse": c.KeyUse, "Sweep": c.Sweep, "Keep": c.Keep,
	} {
		if d < time.Second {
			faults = append(faults, fmt.Errorf("account: %s must be at least 1s", name))
		}
	}
	if c.SessionLife < c.SessionIdle || c.RefreshGrace < 0 {
		faults = append(faults, errors.New("account: SessionLife must be at least SessionIdle, and RefreshGrace not negative"))
	}
	if c.MaxOwned < 1 || c.MaxInvitations < 1 || c.MaxKeys < 1 || c.KeyMemory < 0 {
		faults = append(faults, errors.New("account: MaxOwned, MaxInvitations and MaxKeys must be at least 1, and KeyMemory not negative"))
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		faults = append(faults, fmt.Errorf("account: the public URL %q is not one", c.PublicURL))
	}
	return errors.Join(append(faults, c.Throttles.validate())...)
}

// Deps are what accounts work with. All are required but Wake and Now.
type Deps struct {
	Store  *store.Store
	Keys   *auth.Keys
	Hasher *auth.Hasher
	// Wake is called after mail was put into the outbox.
	Wake func()
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service is what people may do with their accounts. It is safe for concurrent use.
type Service struct {
	cfg    Config
	store  *store.Store
	keys   *auth.Keys
	hasher *auth.Hasher
	wake   func()
	now    func() time.Time
	used   keyBook
}

// NewService makes a Service.
func NewService(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Keys == nil || deps.Hasher == nil {
		return nil, errors.New("account: Store, Keys and Hasher are required")
	}
	s := &Service{cfg: cfg, store: deps.Store, keys: deps.Keys, hasher: deps.Hasher, wake: deps.Wake, now: deps.Now, used: newKeyBook()}
	if s.wake == nil {
		s.wake = func() {}
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// What may be refused. Texts are public.
var (
	ErrCredentials  = errors.New("the email or the password is wrong, or the email is not confirmed yet")
	ErrTOTPRequired = errors.New("the account has a second factor: send its code too")
	ErrTOTPCode     = errors.New("the code is wrong or has been used")
	ErrRefresh      = errors.New("the refresh token is not valid any more")
	ErrSessionEnded = errors.New("the session has ended")
	ErrPassword     = errors.New("the current password is wrong")
	ErrLink         = errors.New("the link is not valid any more")
	ErrClosed       = errors.New("registration is closed")
	ErrTOTPOn       = errors.New("the account has a second factor already")
	ErrTOTPOff      = errors.New("the account has no second factor")
	ErrNotMember    = errors.New("no such license of this account")
	ErrNoSession    = errors.New("no such session of this account")
	ErrNoAccount    = errors.New("no such account")
	ErrNoRight      = errors.New("the account may not do this in the license")
	ErrLastOwner    = errors.New("a license keeps at least one owner")
	ErrMember       = errors.New("the email belongs to a member already")
	ErrNoMember     = errors.New("no such member of the license")
	ErrNoInvitation = errors.New("no such invitation of the license")
	ErrOtherEmail   = errors.New("the invitation is for another email than the account's")
	ErrNoKey        = errors.New("no such API key of the license")
	ErrKey          = errors.New("the API key is not valid")
	ErrTooMany      = errors.New("there are too many of these")
	ErrNoNATSUser   = errors.New("no such NATS user of the license")
	ErrChanged      = errors.New("it was changed since it was read")
	ErrOtherName    = errors.New("is not the license's name")
	ErrNoErasure    = errors.New("no such erasure of this account")
)

// ThrottledError says when the next try may be made.
type ThrottledError struct{ After time.Duration }

func (e *ThrottledError) Error() string { return "too many tries" }
