package api

import (
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
)

// The bounds of what is remembered of answers: all together 64 MiB at most.
const (
	mostAnswers = 512
	mostAnswer  = 128 << 10
)

// answers remembers what a license was answered a moment ago: dashboards of many people ask the same. Of those who ask at
// once one is answered anew; the others get the older answer where there is one (stale-while-revalidate, RFC 5861), or wait for it.
type answers struct {
	mu   sync.Mutex // covers kept and asked
	kept map[answerKey]keptAnswer
	// asked are the questions that are being answered; the channel closes at the end.
	asked map[answerKey]chan struct{}
}

// answerKey is who asked for what; the license is part of it, so that no answer crosses a wall.
type answerKey struct {
	license uuid.UUID
	url     string
}

type keptAnswer struct {
	until   time.Time
	body    []byte
	headers [][2]string
}

// find gives what is remembered and good at now. Where there is nothing and somebody asks already, wait is closed once that
// is over; where nobody does, the caller has to ask, and to call done.
func (a *answers) find(key answerKey, now time.Time, stale time.Duration) (kept keptAnswer, good bool, wait <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept = a.kept[key] // what is not there was good until the year 1
	if now.Before(kept.until) {
		return kept, true, nil
	}
	if asking := a.asked[key]; asking != nil {
		return kept, now.Before(kept.until.Add(stale)), asking
	}
	if a.asked == nil {
		a.asked = map[answerKey]chan struct{}{}
	}
	a.asked[key] = make(chan struct{})
	return kept, false, nil
}

// done lets those go on who wait for the question.
func (a *answers) done(key answerKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.asked[key])
	delete(a.asked, key)
}

// look gives what is remembered and good at now.
func (a *answers) look(key answerKey, now time.Time) (keptAnswer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.kept[key]
	return kept, now.Before(kept.until)
}

// keep remembers an answer; a full memory drops what is over, or else any.
func (a *answers) keep(key answerKey, kept keptAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil {
		a.kept = map[answerKey]keptAnswer{}
	}
	for old := range a.kept {
		if len(a.kept) < mostAnswers {
			break
		}
		delete(a.kept, old)
	}
	a.kept[key] = kept
}

// remembered answers a read of figures from memory, for Config.AnswerTTL after it was answered, and for as long again while
// somebody else is answered anew. It runs within the walls.
func (s *Server) remembered(c *fiber.Ctx) error {
	license, err := stateOf(c).license()
	if s.cfg.AnswerTTL <= 0 || c.Method() != fiber.MethodGet || err != nil {
		return c.Next()
	}
	key := answerKey{license, c.OriginalURL()}
	kept, good, wait := s.answers.find(key, s.deps.Now(), s.cfg.AnswerTTL)
	if !good && wait != nil {
		select {
		case <-wait:
		case <-c.UserContext().Done():
			return c.Next() // which says what a request says that took too long
		}
		if kept, good = s.answers.look(key, s.deps.Now()); !good { // it failed, or cannot be remembered
			return c.Next()
		}
	}
	if good {
		for _, header := range kept.headers {
			c.Set(header[0], header[1])
		}
		stateOf(c).route = c.Path()
		return c.Send(kept.body)
	}
	defer s.answers.done(key)
	return s.answerAnew(c, key)
}

// answerAnew answers and remembers what may be.
func (s *Server) answerAnew(c *fiber.Ctx, key answerKey) error {
	if err := c.Next(); err != nil {
		return err
	}
	response := c.Response()
	if response.StatusCode() != fiber.StatusOK || response.IsBodyStream() || len(response.Body()) > mostAnswer {
		return nil
	}
	kept := keptAnswer{until: s.deps.Now().Add(s.cfg.AnswerTTL), body: append([]byte{}, response.Body()...)}
	for _, name := range []string{fiber.HeaderContentType, fiber.HeaderCacheControl, fiber.HeaderVary, fiber.HeaderLink} {
		if value := c.GetRespHeader(name); value != "" {
			kept.headers = append(kept.headers, [2]string{name, value})
		}
	}
	s.answers.keep(key, kept)
	return nil
}
