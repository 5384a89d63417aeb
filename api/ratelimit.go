package api

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/time/rate"
)

// limiter is a quota for many askers. A bucket that has filled up again is as good as a new one and is forgotten.
type limiter struct {
	name  string
	quota Quota

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	swept   time.Time
}

func newLimiter(name string, quota Quota) *limiter {
	return &limiter{name: name, quota: quota, buckets: map[string]*rate.Limiter{}}
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

// take counts one request of key.
func (l *limiter) take(key string, now time.Time) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	bucket := l.buckets[key]
	if bucket == nil {
		bucket = rate.NewLimiter(rate.Limit(l.perSecond()), l.quota.Requests)
		l.buckets[key] = bucket
	}
	allowed := bucket.AllowN(now, 1)
	tokens := bucket.TokensAt(now)
	return verdict{
		allowed:   allowed,
		remaining: int(max(0, math.Floor(tokens))),
		reset:     seconds((float64(l.quota.Requests) - tokens) / l.perSecond()),
		retry:     seconds((1 - tokens) / l.perSecond()),
	}
}

func seconds(s float64) time.Duration { return time.Duration(max(0, s) * float64(time.Second)) }

// sweep runs once a window.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < l.quota.Window {
		return
	}
	l.swept = now
	for key, bucket := range l.buckets {
		if bucket.TokensAt(now) >= float64(l.quota.Requests) {
			delete(l.buckets, key)
		}
	}
}

// policy and state are the header fields of draft-ietf-httpapi-ratelimit-headers.
func (l *limiter) policy() string {
	return fmt.Sprintf("%q;q=%d;w=%d", l.name, l.quota.Requests, int(l.quota.Window.Seconds()))
}

func (l *limiter) state(v verdict) string {
	return fmt.Sprintf("%q;r=%d;t=%d", l.name, v.remaining, int(math.Ceil(v.reset.Seconds())))
}

// limit counts the request against its token, or against its address where there is no valid token, so that guessing
// tokens is bounded too.
func (s *Server) limit(c *fiber.Ctx) error {
	st := stateOf(c)
	l, key := s.siteLimit, st.address
	if strings.HasPrefix(c.Path(), "/api/") {
		l = s.addressLimit
		if st.identity != nil {
			l, key = s.tokenLimit, st.identity.TokenID
		}
	}
	v := l.take(key, s.deps.Now())
	c.Set("RateLimit-Policy", l.policy())
	c.Set("RateLimit", l.state(v))
	if !v.allowed {
		return &rateLimitedError{after: v.retry}
	}
	return c.Next()
}
