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

// answers remembers what a license was answered a moment ago: dashboards of many people ask the same.
type answers struct {
	mu   sync.RWMutex // covers kept
	kept map[answerKey]keptAnswer
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

func (a *answers) find(key answerKey, now time.Time) (keptAnswer, bool) {
	a.mu.RLock()
	kept, ok := a.kept[key]
	a.mu.RUnlock()
	return kept, ok && now.Before(kept.until)
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

// remembered answers a read of figures from memory, for Config.AnswerTTL after it was answered. It runs within the walls.
func (s *Server) remembered(c *fiber.Ctx) error {
	license, err := stateOf(c).license()
	if s.cfg.AnswerTTL <= 0 || c.Method() != fiber.MethodGet || err != nil {
		return c.Next()
	}
	key, now := answerKey{license, c.OriginalURL()}, s.deps.Now()
	if kept, ok := s.answers.find(key, now); ok {
		for _, header := range kept.headers {
			c.Set(header[0], header[1])
		}
		stateOf(c).route = c.Path()
		return c.Send(kept.body)
	}
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
