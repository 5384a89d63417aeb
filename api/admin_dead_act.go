package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/deadletter"
)

// deadAct does one thing to every letter that a filter chooses.
type deadAct func(*deadletter.Office, context.Context, deadletter.Filter, func(int)) (int, error)

// adminDeadAct answers with how many letters were done; letters that could not be stay where they are.
func (s *Server) adminDeadAct(action string, act deadAct) func(*fiber.Ctx, *inputs) error {
	return func(c *fiber.Ctx, in *inputs) error {
		b, err := readBody(c, in, "license_id", "reason", "all")
		if err != nil {
			return err
		}
		f := deadletter.Filter{Reason: b.text("reason", 100, false)}
		license := b.license("license_id")
		if license != uuid.Nil {
			f.License = license.String()
		}
		var all bool
		b.decode("all", &all, "true or false")
		if f.License == "" && f.Reason == "" && !all {
			b.fault("all", "must be true where neither license_id nor reason chooses", nil)
		}
		if err := in.err(); err != nil {
			return err
		}
		office, err := s.office()
		if err != nil {
			return err
		}
		details := map[string]any{"reason": f.Reason, "all": all}
		if err := s.deps.Platform.Note(c.UserContext(), action, license, "dead-letters", "", details); err != nil {
			return err
		}
		done, err := act(office, c.UserContext(), f, func(int) {})
		if err != nil && done == 0 {
			return err
		}
		return sendJSON(c, http.StatusOK, DeadChosen{Done: done, Faults: faultLines(err)})
	}
}

// license is an optional UUID of a body.
func (b *body) license(name string) uuid.UUID {
	text := b.text(name, 36, false)
	if text == "" {
		return uuid.Nil
	}
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		b.fault(name, "is not a UUID", clip(text))
	}
	return id
}

// faultLines are the lines of joined errors, which speak of letters by their numbers.
func faultLines(err error) []string {
	if err == nil {
		return []string{}
	}
	return strings.Split(err.Error(), "\n")
}
