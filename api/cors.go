package api

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Headers that pages of other origins may send and read.
const (
	corsRequestHeaders = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Range, X-Request-Id"
	corsAnswerHeaders  = "Content-Disposition, ETag, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Next-Cursor, X-Request-Id, X-Row-Count"
	corsMethods        = "GET, HEAD, POST, PUT, PATCH, DELETE"
)

// cors lets pages of the configured origins use the API with a bearer token. Cookies never travel: signing in stays with
// our own pages. Without configured origins nothing is allowed.
func (s *Server) cors(c *fiber.Ctx) error {
	if len(s.cfg.CORSOrigins) == 0 || !strings.HasPrefix(c.Path(), "/api/") || strings.HasPrefix(c.Path(), accountPrefix+"/") {
		return c.Next()
	}
	c.Vary(fiber.HeaderOrigin)
	origin := c.Get(fiber.HeaderOrigin)
	if !slices.Contains(s.cfg.CORSOrigins, origin) {
		return c.Next()
	}
	c.Set(fiber.HeaderAccessControlAllowOrigin, origin)
	c.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if c.Method() != fiber.MethodOptions || c.Get(fiber.HeaderAccessControlRequestMethod) == "" {
		c.Set(fiber.HeaderAccessControlExposeHeaders, corsAnswerHeaders)
		return c.Next()
	}
	stateOf(c).route = "preflight"
	c.Set(fiber.HeaderAccessControlAllowMethods, corsMethods)
	c.Set(fiber.HeaderAccessControlAllowHeaders, corsRequestHeaders)
	c.Set(fiber.HeaderAccessControlMaxAge, "600")
	return c.SendStatus(fiber.StatusNoContent)
}
