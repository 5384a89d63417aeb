package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Run removes what has expired, now and every Config.Sweep, until ctx ends. Several processes may do so at once.
func (s *Service) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(s.cfg.Sweep)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			log.Warn("what has expired of accounts could not be removed; trying again", "in", s.cfg.Sweep, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweep removes what expired longer than Config.Keep ago.
func (s *Service) sweep(ctx context.Context) error {
	before := s.now().Add(-s.cfg.Keep)
	q := s.store.Queries()
	var faults []error
	for _, remove := range []func(context.Context, time.Time) (int64, error){
		q.SweepSessions, q.SweepRegistrations, q.SweepPasswordResets, q.SweepAttempts, q.SweepMail, q.SweepRefreshTokens,
	} {
		if _, err := remove(ctx, before); err != nil {
			faults = append(faults, fmt.Errorf("remove what has expired: %w", err))
		}
	}
	return errors.Join(faults...)
}
