package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/auth"
)

// asker is who calls a route, and for which license.
type asker struct {
	license uuid.UUID
	role    auth.Role
}

// route adds a route that needs a role. Huma describes it by I and O; handle reads path, query and body itself, so that
// every fault of a request is found at once. It must end with in.err() before it changes anything.
func route[I, O any](s *Server, op huma.Operation, least auth.Role, handle func(*fiber.Ctx, asker, *inputs) error) {
	op.Security = private()
	s.prepare(&op)
	huma.Register(s.documenter, op, func(context.Context, *I) (*O, error) { return nil, nil })
	s.learn(op)
	s.app.Add(op.Method, fiberPath(op.Path), func(c *fiber.Ctx) error {
		st := stateOf(c)
		license, err := st.license()
		if err != nil {
			return err
		}
		if !st.identity.Role.AtLeast(least) {
			return errForbidden
		}
		return s.handleInputs(c, op, asker{license, st.identity.Role}, handle)
	})
}

// fiberPath is a path of the document as Fiber writes it.
func fiberPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

// handleInputs reads the query of a request and lets the operation's handler answer it.
func (s *Server) handleInputs(c *fiber.Ctx, op huma.Operation, who asker, handle func(*fiber.Ctx, asker, *inputs) error) error {
	retention, err := s.deps.Queries.Retention(c.UserContext())
	if err != nil {
		return err
	}
	return handle(c, who, newInputs(stateOf(c).values, s.known[knownKey(op.Method, op.Path)], s.deps.Now(), retention))
}

// sendJSON answers with a value; nothing between here and the reader may keep it unasked.
func sendJSON(c *fiber.Ctx, status int, value any) error {
	document, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	c.Set(fiber.HeaderVary, fiber.HeaderAuthorization)
	c.Status(status).Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	return c.Send(document)
}

// linkNext names the next page of a list in the header Link.
func linkNext(c *fiber.Ctx, path string, values url.Values, cursor string) {
	if cursor == "" {
		return
	}
	next := cloneValues(values)
	next.Set("cursor", cursor)
	c.Set(fiber.HeaderLink, "<"+path+"?"+next.Encode()+`>; rel="next"`)
}

// cloneValues copies parameters but for some.
func cloneValues(values url.Values, without ...string) url.Values {
	clone := url.Values{}
	for name, sent := range values {
		if !slices.Contains(without, name) {
			clone[name] = slices.Clone(sent)
		}
	}
	return clone
}

// fits tells whether If-Match allows a change of what has the tag; without the header every change is allowed. A tag may
// have been read with a representation's own part behind a dot.
func fits(header, tag string) bool {
	if header == "" {
		return true
	}
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		name, _, _ := strings.Cut(strings.Trim(candidate, `"`), ".")
		if candidate == "*" || strings.HasPrefix(candidate, `"`) && name == tag {
			return true
		}
	}
	return false
}
