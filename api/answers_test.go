package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
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

func TestAnswersAreBounded(t *testing.T) {
	var a answers
	for range 2 * mostAnswers {
		a.keep(answerKey{uuid.New(), "x"}, keptAnswer{})
	}
	if len(a.kept) != mostAnswers {
		t.Errorf("%d answers are remembered", len(a.kept))
	}
}
