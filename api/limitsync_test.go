package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"corrosion/api/auth"
	"corrosion/api/ratestore"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// Two processes together give no more than a quota, however requests are spread, once they have told each other; what
// both gave away at once is paid back.
func TestRateLimitOfSeveralProcesses(t *testing.T) {
	pool := schematest.Postgres(t)
	quota := Quota{Requests: 20, Window: time.Hour}
	limits := func(c *Config, d *Deps) {
		c.LicenseQuota, c.LimitSync, d.Limits = quota, 10*time.Millisecond, ratestore.New(pg.New(pool))
	}
	one, two := open(t, unreachable, limits), open(t, unreachable, limits)
	ask := func(h *harness) int {
		return h.get(t, "/api/analytics/summary", h.token(t, ourLicense, auth.Viewer)).StatusCode
	}
	for i := range 12 {
		if status := ask(one); status != 200 {
			t.Fatalf("request %d: %d", i, status)
		}
	}
	localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error {
		var tokens float64
		err := pool.QueryRow(t.Context(), "SELECT tokens FROM rate_buckets WHERE name = 'license' AND key = $1", ourLicense.String()).Scan(&tokens)
		if err == nil && tokens > 8.5 {
			err = errors.New("not told yet")
		}
		return err
	})
	if status := ask(two); status != 200 { // it does not know yet, and hears by this
		t.Errorf("the second process: %d", status)
	}
	localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error {
		if v := two.licenseLimit.look(ourLicense.String(), time.Now()); v > 8.5 {
			return errors.New("the second process has not heard")
		}
		return nil
	})
	given := 0
	for range 30 {
		if ask(two) == 200 {
			given++
		}
	}
	if given < 6 || given > 8 {
		t.Errorf("after 13 of 20 the second process gave %d more", given)
	}
	if a := two.get(t, "/api/analytics/summary", two.token(t, ourLicense, auth.Viewer)); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
}

// While the store is away processes keep to the quotas alone, and tell later what was spent meanwhile.
func TestRateLimitWithoutItsStore(t *testing.T) {
	s := &Server{cfg: DefaultConfig(), tokenLimit: newLimiter("token", Quota{3, time.Hour}), licenseLimit: newLimiter("license", Quota{3, time.Hour}),
		addressLimit: newLimiter("address", Quota{3, time.Hour}), siteLimit: newLimiter("site", Quota{3, time.Hour})}
	s.deps.Now, s.tokenLimit.shared = time.Now, true
	store := &brokenLimits{}
	s.deps.Limits = store
	for _, want := range []bool{true, true, true, false} {
		if got := s.tokenLimit.take("a", time.Now()).allowed; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		if err := s.syncLimitsOnce(t.Context()); err == nil && want {
			t.Error("the store is away")
		}
	}
	store.works = true
	if err := s.syncLimitsOnce(t.Context()); err != nil || store.told["a"] != 3 {
		t.Errorf("told %v, %v", store.told, err)
	}
	if s.tokenLimit.take("a", time.Now()).allowed {
		t.Error("a debt of others is not believed")
	}
}

type brokenLimits struct {
	works bool
	told  map[string]float64
}

func (b *brokenLimits) Spend(_ context.Context, _ string, _, _ float64, spent map[string]float64) (map[string]float64, error) {
	if !b.works {
		return nil, errors.New("away")
	}
	b.told = spent
	left := map[string]float64{}
	for key := range spent {
		left[key] = -1
	}
	return left, nil
}

func (b *brokenLimits) Forget(context.Context, string, time.Duration) error { return nil }

// look is what a key has left.
func (l *limiter) look(key string, now time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		return l.full()
	}
	l.refill(b, now)
	return b.tokens
}
