package account

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Throttle slows tries down: Free are free, then each waits twice as long as the one before, from First to Longest.
// Nothing is ever locked for good; a count is forgotten after Forget without a try.
type Throttle struct {
	Free                   int
	First, Longest, Forget time.Duration
}

// Throttles are those of accounts. Counts stand in Postgres, so that they hold for all processes together.
type Throttles struct {
	// Account counts bad passwords and codes of one email, whether it has an account or not; Address those of one address.
	Account, Address Throttle
	// Signup counts registrations and asked-for resets of one address, good or bad; Mail those of one email.
	Signup, Mail Throttle
}

// DefaultThrottles let people mistype, and robots try about a hundred passwords a day.
func DefaultThrottles() Throttles {
	return Throttles{
		Account: Throttle{Free: 10, First: time.Second, Longest: 15 * time.Minute, Forget: 24 * time.Hour},
		Address: Throttle{Free: 30, First: time.Second, Longest: 15 * time.Minute, Forget: 24 * time.Hour},
		Signup:  Throttle{Free: 20, First: 10 * time.Second, Longest: time.Hour, Forget: 2 * time.Hour},
		Mail:    Throttle{Free: 3, First: time.Minute, Longest: 6 * time.Hour, Forget: 24 * time.Hour},
	}
}

func (t Throttles) validate() error {
	var faults []error
	for name, one := range map[string]Throttle{"Account": t.Account, "Address": t.Address, "Signup": t.Signup, "Mail": t.Mail} {
		if err := one.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("account: throttle %s %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// Validate says whether the settings make sense.
func (t Throttle) Validate() error {
	if t.Free < 1 || t.First <= 0 || t.Longest < t.First || t.Forget < t.Longest {
		return errors.New("makes no sense")
	}
	return nil
}

// Count counts a try before it is made, so that many at once count too. kind and key tell what is counted. It fails with a
// ThrottledError where the try may not be made yet.
func (t Throttle) Count(ctx context.Context, q *pg.Queries, now time.Time, kind, key string) error {
	return t.count(ctx, q, now, kind, digestOf(key))
}

func (t Throttle) count(ctx context.Context, q *pg.Queries, now time.Time, kind string, digest []byte) error {
	_, err := q.CountAttempt(ctx, pg.CountAttemptParams{
		Kind: kind, Key: digest, Now: now, ForgetBefore: now.Add(-t.Forget), FreeTries: int32(t.Free),
		FirstSeconds: t.First.Seconds(), LongestSeconds: t.Longest.Seconds(),
	})
	if !store.Missing(err) {
		return store.Wrap("count tries", err)
	}
	until, err := q.BlockedUntil(ctx, pg.BlockedUntilParams{Kind: kind, Key: digest})
	if err != nil && !store.Missing(err) {
		return fmt.Errorf("count tries: %w", err)
	}
	return &ThrottledError{After: max(until.Sub(now), time.Second)}
}

// try is one counted thing of a throttle.
type try struct {
	kind  string
	key   []byte
	limit Throttle
}

func (s *Service) accountTry(email Email) try {
	return try{"account", digestOf(email.Key), s.cfg.Throttles.Account}
}

func (s *Service) addressTry(address string) try {
	return try{"address", digestOf(Network(address)), s.cfg.Throttles.Address}
}

func (s *Service) signupTry(address string) try {
	return try{"signup", digestOf(Network(address)), s.cfg.Throttles.Signup}
}

func (s *Service) mailTry(email Email) try {
	return try{"mail", digestOf(email.Key), s.cfg.Throttles.Mail}
}

func digestOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Network is what tries of an address are counted by: an IPv4 address, or the /64 that an IPv6 customer has to himself.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() {
		return address
	}
	prefix, _ := ip.WithZone("").Prefix(64)
	return prefix.String()
}

// begin counts tries before they are made. It fails with a ThrottledError where one of them may not be made yet; those
// counted until then stay counted.
func (s *Service) begin(ctx context.Context, tries ...try) error {
	for _, t := range tries {
		if err := t.limit.count(ctx, s.store.Queries(), s.now(), t.kind, t.key); err != nil {
			return err
		}
	}
	return nil
}

// good takes a try that turned out well out of its count.
func (s *Service) good(ctx context.Context, tries ...try) error {
	for _, t := range tries {
		err := s.store.Queries().UncountAttempt(ctx, pg.UncountAttemptParams{Now: s.now(), Kind: t.kind, Key: t.key})
		if err != nil {
			return fmt.Errorf("count tries: %w", err)
		}
	}
	return nil
}

// forget clears a count.
func (s *Service) forget(ctx context.Context, t try) error {
	return store.Wrap("clear the count of tries", s.store.Queries().ForgetAttempts(ctx, pg.ForgetAttemptsParams{Kind: t.kind, Key: t.key}))
}
