package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Run removes what has expired, now and every Config.Sweep, and writes down every Config.KeyUse when keys were last used,
// until ctx ends. Several processes may do so at once.
func (s *Service) Run(ctx context.Context, log *slog.Logger) {
	sweep, use := time.NewTicker(s.cfg.Sweep), time.NewTicker(s.cfg.KeyUse)
	defer sweep.Stop()
	defer use.Stop()
	once := func(ctx context.Context, what string, every time.Duration, do func(context.Context) error) {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			log.Warn(what, "again_in", every, "error", err)
		}
	}
	const lastWrite = 2 * time.Second
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
		defer cancel()
		once(last, "the last use of API keys could not be written down", s.cfg.KeyUse, s.writeUses)
	}()
	const stale = "what has expired of accounts could not be removed"
	once(ctx, stale, s.cfg.Sweep, s.sweep)
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			once(ctx, stale, s.cfg.Sweep, s.sweep)
		case <-use.C:
			once(ctx, "the last use of API keys could not be written down", s.cfg.KeyUse, s.writeUses)
		}
	}
}

// sweep removes what expired longer than Config.Keep ago.
func (s *Service) sweep(ctx context.Context) error {
	before := s.now().Add(-s.cfg.Keep)
	q := s.store.Queries()
	var faults []error
	for _, remove := range []func(context.Context, time.Time) (int64, error){
		q.SweepSessions, q.SweepRegistrations, q.SweepPasswordResets, q.SweepAttempts, q.SweepMail, q.SweepRefreshTokens, q.SweepInvitations, q.SweepAPIKeys,
	} {
		if _, err := remove(ctx, before); err != nil {
			faults = append(faults, fmt.Errorf("remove what has expired: %w", err))
		}
	}
	return errors.Join(faults...)
}
