package api

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

// limiter is a quota for many askers: a token bucket for each. A bucket that has filled up again is as good as a new one
// and is forgotten. Requests are judged by what this process knows; limitSync tells it of the others.
type limiter struct {
	name  string
	quota Quota
	// shared tells that others are told of what is spent.
	shared bool
	// policyText is the header field that never changes.
	policyText string

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

// bucket is what one asker has left. Tokens are negative where several processes gave away more than there was.
type bucket struct {
	tokens float64
	at     time.Time
	// spent is what was taken since the others were told.
	spent float64
}

func newLimiter(name string, quota Quota) *limiter {
	return &limiter{
		name: name, quota: quota, buckets: map[string]*bucket{},
		policyText: fmt.Sprintf("%q;q=%d;w=%d", name, quota.Requests, int(quota.Window.Seconds())),
	}
}

// verdict is what is left of a quota after a request.
type verdict struct {
	allowed bool
	// remaining requests may follow at once; the quota is whole again after reset.
	remaining int
	reset     time.Duration
	// retry is when the next request is allowed; meaningful where this one was not.
	retry time.Duration
}

func (l *limiter) perSecond() float64 { return float64(l.quota.Requests) / l.quota.Window.Seconds() }

func (l *limiter) full() float64 { return float64(l.quota.Requests) }

// refill gives a bucket what time has brought.
func (l *limiter) refill(b *bucket, now time.Time) {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.tokens = min(l.full(), b.tokens+passed*l.perSecond())
		b.at = now
	}
}

// take counts one request of key.
func (l *limiter) take(key string, now time.Time) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	b := l.buckets[key]
	if b == nil {
		b = &bucket{tokens: l.full(), at: now}
		l.buckets[key] = b
	}
	l.refill(b, now)
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
		if l.shared {
			b.spent++
		}
	}
	return verdict{
		allowed: allowed, remaining: int(max(0, math.Floor(b.tokens))),
		reset: seconds((l.full() - b.tokens) / l.perSecond()), retry: seconds((1 - b.tokens) / l.perSecond()),
	}
}

func seconds(s float64) time.Duration { return time.Duration(max(0, s) * float64(time.Second)) }

// sweep runs once a window.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < l.quota.Window {
		return
	}
	l.swept = now
	for key, b := range l.buckets {
		l.refill(b, now)
		if b.tokens >= l.full() && b.spent == 0 {
			delete(l.buckets, key)
		}
	}
}

// state is the header field that tells what is left, of draft-ietf-httpapi-ratelimit-headers.
func (l *limiter) state(v verdict) string {
	return fmt.Sprintf("%q;r=%d;t=%d", l.name, v.remaining, int(math.Ceil(v.reset.Seconds())))
}

// limit counts the request against its token and its license, or against its address where there is no valid token, so
// that guessing tokens is bounded too.
func (s *Server) limit(c *fiber.Ctx) error {
	st := stateOf(c)
	l, key := s.siteLimit, st.address
	if strings.HasPrefix(c.Path(), "/api/") {
		l = s.addressLimit
		if st.identity != nil {
			l, key = s.tokenLimit, st.identity.TokenID
		}
	}
	now := s.deps.Now()
	v := l.take(key, now)
	policy, state := l.policyText, l.state(v)
	if license, err := st.license(); err == nil && v.allowed {
		all := s.licenseLimit
		of := all.take(license.String(), now)
		policy, state = policy+", "+all.policyText, state+", "+all.state(of)
		if !of.allowed {
			v = of
		}
	}
	c.Set("RateLimit-Policy", policy)
	c.Set("RateLimit", state)
	if !v.allowed {
		return &rateLimitedError{after: v.retry}
	}
	return c.Next()
}

// LimitStore is what is left of quotas for all API processes together; *ratestore.Store is one.
type LimitStore interface {
	// Spend takes amounts from the buckets of keys and gives what is left in them.
	Spend(ctx context.Context, quota string, burst, perSecond float64, spent map[string]float64) (left map[string]float64, err error)
	// Forget removes buckets of a quota that have filled up in a window.
	Forget(ctx context.Context, quota string, window time.Duration) error
}
