package api

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// etag gives JSON answers a strong tag and answers 304 to who has them already.
func (s *Server) etag(c *fiber.Ctx) error {
	if err := c.Next(); err != nil {
		return err
	}
	unfit := c.Response().IsBodyStream() || c.Path() == exportPath || c.Context().Hijacked()
	if c.Method() != fiber.MethodGet || c.Response().StatusCode() != fiber.StatusOK || unfit {
		return nil
	}
	tag := strongTag(c.Response().Body())
	if edit := c.GetRespHeader(fiber.HeaderETag); edit != "" { // what a change may name with If-Match leads
		tag = strings.TrimSuffix(edit, `"`) + "." + tag[1:]
	}
	c.Set(fiber.HeaderETag, tag)
	if matches(c.Get(fiber.HeaderIfNoneMatch), tag) {
		c.Status(fiber.StatusNotModified)
		c.Response().ResetBody()
	}
	return nil
}

func strongTag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// matches is If-None-Match's weak comparison.
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = plainTag(strings.TrimPrefix(strings.TrimSpace(candidate), "W/"))
		if candidate == tag || candidate == "*" {
			return true
		}
	}
	return false
}
