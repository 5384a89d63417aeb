package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/idempotency"
)

const (
	idempotencyHeader = "Idempotency-Key"
	// maxIdempotencyKey bounds a key, bytes.
	maxIdempotencyKey = 255
	// maxReplay bounds an answer that is kept, bytes; what a POST answers is small.
	maxReplay = 256 << 10
)

// takesKeys tells whether an operation honours Idempotency-Key: every POST that needs a token but those of signing in,
// which are not to be repeated from a store.
func takesKeys(method, path string) bool {
	return method == http.MethodPost && strings.HasPrefix(path, "/api/") && accessOf(path) != byAnybody && !strings.HasPrefix(path, accountPrefix+"/")
}

// remembersKeys tells whether an operation writes the key down with what it makes, in the same transaction. Such a key is
// the license's and holds for good, and a process that dies before it answers leaves none in use.
func remembersKeys(path string) bool {
	return strings.HasPrefix(path, modulesPath+"/") && (strings.HasSuffix(path, "/purchase") || strings.HasSuffix(path, "/install"))
}

// idempotent answers a POST whose key was used already as it was answered then, for a day. It runs inside the walls, so
// that an answer goes only to who had it before.
func (s *Server) idempotent(c *fiber.Ctx) error {
	key := c.Get(idempotencyHeader)
	if key == "" || s.deps.Idempotency == nil || !takesKeys(c.Method(), c.Path()) || remembersKeys(c.Path()) {
		return c.Next()
	}
	if !harmlessKey(key) {
		return invalid("header."+idempotencyHeader, fmt.Sprintf("must be 1 to %d printable ASCII characters", maxIdempotencyKey), len(key))
	}
	st := stateOf(c)
	if err := st.known(); err != nil {
		return err
	}
	use := idempotency.Use{Scope: keyScope(st), Key: key, Fingerprint: fingerprint(c)}
	claim, before, err := s.deps.Idempotency.Begin(c.UserContext(), use)
	if err != nil {
		return err
	}
	if before != nil {
		return replay(c, before)
	}
	return s.answerOnce(c, use, claim)
}

// answerOnce does the request and keeps its answer. A request that changed nothing gives its key back.
func (s *Server) answerOnce(c *fiber.Ctx, use idempotency.Use, claim uuid.UUID) error {
	done := false
	defer func() { // also where the handler panics
		if !done {
			s.release(use, claim)
		}
	}()
	if err := c.Next(); err != nil {
		return err
	}
	response := c.Response()
	if status := response.StatusCode(); status < 200 || status >= 300 || response.IsBodyStream() || len(response.Body()) > maxReplay {
		return nil
	}
	answer := idempotency.Answer{Status: response.StatusCode(), Headers: map[string]string{}, Body: bytes.Clone(response.Body())}
	for _, name := range []string{fiber.HeaderContentType, fiber.HeaderLocation, fiber.HeaderETag, fiber.HeaderCacheControl, fiber.HeaderLink} {
		if value := c.GetRespHeader(name); value != "" {
			answer.Headers[name] = value
		}
	}
	ctx, cancel := idempotency.Late(c.UserContext())
	defer cancel()
	done = true
	if err := s.deps.Idempotency.Finish(ctx, use, claim, answer); err != nil {
		// The change is made: an error here would make the client try again in vain. Until the claim ends, the key is in use.
		s.deps.Logger.Error("the answer to an Idempotency-Key could not be kept", "request_id", stateOf(c).id, "error", err)
	}
	return nil
}

func (s *Server) release(use idempotency.Use, claim uuid.UUID) {
	ctx, cancel := idempotency.Late(s.base)
	defer cancel()
	if err := s.deps.Idempotency.Release(ctx, use, claim); err != nil {
		s.deps.Logger.Warn("an Idempotency-Key could not be given back; it is free again in a minute", "error", err)
	}
}

func replay(c *fiber.Ctx, before *idempotency.Answer) error {
	for name, value := range before.Headers {
		c.Set(name, value)
	}
	c.Set("Idempotent-Replayed", "true")
	return c.Status(before.Status).Send(before.Body)
}

// keyScope is who may use a key again: the same asker in the same role for the same license.
func keyScope(st *requestState) string {
	id := st.identity
	return fmt.Sprintf("%s/%s/%.200s", id.License, id.Role, id.Subject)
}

// fingerprint is of everything that makes a request another one.
func fingerprint(c *fiber.Ctx) [sha256.Size]byte {
	h := sha256.New()
	kind, _, _ := strings.Cut(c.Get(fiber.HeaderContentType), ";")
	body := c.Body()
	if compact := (&bytes.Buffer{}); json.Compact(compact, body) == nil { // white space makes no other request
		body = compact.Bytes()
	}
	for _, part := range [][]byte{[]byte(c.Method()), []byte(c.OriginalURL()), []byte(kind), []byte(c.Get(fiber.HeaderIfMatch)), body} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func harmlessKey(key string) bool {
	if len(key) > maxIdempotencyKey {
		return false
	}
	for _, b := range []byte(key) {
		if b < 0x20 || b > 0x7e {
			return false
		}
	}
	return true
}
