package api

import (
	"context"
	"time"
)

// limitKeys bounds the buckets of one statement.
const limitKeys = 1000

// syncLimits tells the store what was spent here and hears what others spent, every LimitSync until ctx ends, and once
// more at the end. The way of a request never waits for it: a process may give away what another one has given since the
// last time; the debt is paid before more is given. While the store is away each process keeps to the quotas alone.
func (s *Server) syncLimits(ctx context.Context) {
	tick := time.NewTicker(s.cfg.LimitSync)
	defer tick.Stop()
	failing, swept := false, time.Time{}
	for {
		select {
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			_ = s.syncLimitsOnce(late) // what is lost here is less than a second's worth
			cancel()
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := s.syncLimitsOnce(bounded)
		if now := time.Now(); err == nil && now.Sub(swept) > time.Minute {
			swept = now
			err = s.forgetLimits(bounded)
		}
		cancel()
		switch {
		case err != nil && !failing && ctx.Err() == nil:
			s.deps.Logger.Warn("rate limits are not shared with other processes; trying again", "error", err)
		case err == nil && failing:
			s.deps.Logger.Info("rate limits are shared again")
		}
		failing = err != nil
	}
}

func (s *Server) limiters() []*limiter {
	return []*limiter{s.tokenLimit, s.licenseLimit, s.addressLimit, s.siteLimit}
}

func (s *Server) syncLimitsOnce(ctx context.Context) error {
	for _, l := range s.limiters() {
		for {
			spent := l.takeSpent(limitKeys)
			if len(spent) == 0 {
				break
			}
			left, err := s.deps.Limits.Spend(ctx, l.name, l.full(), l.perSecond(), spent)
			if err != nil {
				l.giveBack(spent)
				return err
			}
			l.adopt(left, s.deps.Now())
		}
	}
	return nil
}

func (s *Server) forgetLimits(ctx context.Context) error {
	for _, l := range s.limiters() {
		if err := s.deps.Limits.Forget(ctx, l.name, l.quota.Window); err != nil {
			return err
		}
	}
	return nil
}

// takeSpent gives what at most most askers spent since the last time.
func (l *limiter) takeSpent(most int) map[string]float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	spent := map[string]float64{}
	for key, b := range l.buckets {
		if b.spent > 0 && len(spent) < most {
			spent[key] = b.spent
			b.spent = 0
		}
	}
	return spent
}

// giveBack notes again what could not be told.
func (l *limiter) giveBack(spent map[string]float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, amount := range spent {
		if b := l.buckets[key]; b != nil {
			b.spent += amount
		}
	}
}

// adopt believes the store, less what was spent here meanwhile.
func (l *limiter) adopt(left map[string]float64, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, tokens := range left {
		if b := l.buckets[key]; b != nil {
			b.tokens, b.at = tokens-b.spent, now
		}
	}
}
