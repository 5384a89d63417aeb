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
		if one.Free < 1 || one.First <= 0 || one.Longest < one.First || one.Forget < one.Longest {
			faults = append(faults, fmt.Errorf("account: throttle %s makes no sense", name))
		}
	}
	return errors.Join(faults...)
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
	return try{"address", digestOf(network(address)), s.cfg.Throttles.Address}
}

func (s *Service) signupTry(address string) try {
	return try{"signup", digestOf(network(address)), s.cfg.Throttles.Signup}
}

func (s *Service) mailTry(email Email) try {
	return try{"mail", digestOf(email.Key), s.cfg.Throttles.Mail}
}

func digestOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// network is an IPv4 address, or the /64 that an IPv6 customer has to himself.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() {
		return address
	}
	prefix, _ := ip.WithZone("").Prefix(64)
	return prefix.String()
}

// begin counts tries before they are made, so that many at once count too. It fails with a ThrottledError where one of
// them may not be made yet; those counted until then stay counted.
func (s *Service) begin(ctx context.Context, tries ...try) error {
	now := s.now()
	for _, t := range tries {
		_, err := s.store.Queries().CountAttempt(ctx, pg.CountAttemptParams{
			Kind: t.kind, Key: t.key, Now: now, ForgetBefore: now.Add(-t.limit.Forget), FreeTries: int32(t.limit.Free),
			FirstSeconds: t.limit.First.Seconds(), LongestSeconds: t.limit.Longest.Seconds(),
		})
		if store.Missing(err) {
			return s.throttled(ctx, t, now)
		}
		if err != nil {
			return fmt.Errorf("count tries: %w", err)
		}
	}
	return nil
}

func (s *Service) throttled(ctx context.Context, t try, now time.Time) error {
	until, err := s.store.Queries().BlockedUntil(ctx, pg.BlockedUntilParams{Kind: t.kind, Key: t.key})
	if err != nil && !store.Missing(err) {
		return fmt.Errorf("count tries: %w", err)
	}
	return &ThrottledError{After: max(until.Sub(now), time.Second)}
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
