package earlyaccess

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Run removes what has expired, now and every Config.Sweep, until ctx ends. Several processes may do so at once. Founding
// slots that nobody confirmed need no removing: they count as free by themselves.
func (s *Service) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(s.cfg.Sweep)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			log.Warn("what has expired of early access could not be removed; trying again", "in", s.cfg.Sweep, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) sweep(ctx context.Context) error {
	q, now := s.store.Queries(), s.now()
	var faults []error
	for _, remove := range []func(context.Context, time.Time) (int64, error){q.SweepProofs, q.SweepEarlyAccessLinks} {
		if _, err := remove(ctx, now); err != nil {
			faults = append(faults, fmt.Errorf("remove what has expired: %w", err))
		}
	}
	return errors.Join(faults...)
}
