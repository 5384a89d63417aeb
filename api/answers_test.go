package api

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/query"
	"corrosion/deploy/local/localtest"
)

// What was answered a moment ago is answered again from memory: to the same license alone, for the same question, and
// not for longer than it should be.
func TestAnswersAreRemembered(t *testing.T) {
	clock := &clock{now: time.Now()}
	h := open(t, unreachable, func(c *Config, d *Deps) { c.AnswerTTL, c.StandingTTL, d.Now = time.Second, time.Second, clock.Now })
	ours, theirs := h.token(t, ourLicense, auth.Viewer), h.token(t, theirLicense, auth.Viewer)
	const call = "/api/analytics/timeseries?metric=players"
	first := h.get(t, call, ours)
	again := h.get(t, call, h.token(t, ourLicense, auth.Owner))
	if h.queries.asked != 1 || again.body != first.body || again.Header.Get("ETag") != first.Header.Get("ETag") || again.Header.Get("Cache-Control") != first.Header.Get("Cache-Control") {
		t.Errorf("asked %d times; %v, %v", h.queries.asked, first.Header, again.Header)
	}
	h.get(t, call, ours, "If-None-Match", first.Header.Get("ETag")).ok(t, 304, nil)
	if other := h.get(t, call, theirs); strings.Contains(other.body, ourLicense.String()) || h.queries.asked != 2 {
		t.Errorf("another license reads %s", other.body)
	}
	h.get(t, call+"&agg=max", ours)
	h.get(t, call, "").problem(t, 401, "unauthenticated")
	h.get(t, call, h.token(t, suspended, auth.Owner)).problem(t, 403, "license-suspended")
	clock.pass(time.Second)
	h.get(t, call, ours)
	if h.queries.asked != 4 {
		t.Errorf("asked %d times", h.queries.asked)
	}
	if metrics := h.get(t, "/metrics", "").body; strings.Contains(metrics, `route="/api/analytics/timeseries?`) || !strings.Contains(metrics, `route="/api/analytics/timeseries"`) {
		t.Error("remembered answers are not counted by their template")
	}
}

// Of many who ask the same at once, one is answered anew; while it is, others get the answer of before, for a moment.
func TestOneOfManyAsksAnew(t *testing.T) {
	clock := &clock{now: time.Now()}
	h := open(t, unreachable, func(c *Config, d *Deps) { c.AnswerTTL, d.Now = time.Second, clock.Now })
	token := h.token(t, ourLicense, auth.Viewer)
	const call, others = "/api/analytics/summary?range=24h", 8
	h.queries.gate = make(chan struct{})
	var group sync.WaitGroup
	for range others {
		group.Go(func() { h.get(t, call, token).ok(t, 200, nil) })
	}
	close(h.queries.gate)
	group.Wait()
	if h.queries.asked != 1 {
		t.Errorf("%d of %d asked anew, want 1", h.queries.asked, others)
	}

	clock.pass(time.Second)
	h.queries.gate = make(chan struct{})
	group.Go(func() { h.get(t, call, token).ok(t, 200, nil) })
	localtest.CheckFor(t, 30*time.Second, time.Millisecond, func() error {
		if !h.answers.asking() {
			return errors.New("nobody asks")
		}
		return nil
	})
	h.get(t, call, token).ok(t, 200, nil) // would hang if it waited for the gate
	close(h.queries.gate)
	group.Wait()
	if h.queries.asked != 2 {
		t.Errorf("asked %d times, want 2", h.queries.asked)
	}

	clock.pass(time.Second)
	h.queries.err = query.ErrUnavailable
	for range 2 {
		h.get(t, call, token).problem(t, 503, "unavailable")
	}
	if h.queries.asked != 4 || h.answers.asking() {
		t.Errorf("asked %d times, want 4: what fails is not remembered", h.queries.asked)
	}
}

// asking is whether a question is being answered.
func (a *answers) asking() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked) > 0
}

func TestAnswersAreBounded(t *testing.T) {
	var a answers
	for range 2 * mostAnswers {
		a.keep(answerKey{uuid.New(), "x"}, keptAnswer{})
	}
	if len(a.kept) != mostAnswers {
		t.Errorf("%d answers are remembered", len(a.kept))
	}
}
