package api

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/platform"
	"corrosion/api/query"
	"corrosion/schema"
)

const adminPrefix = "/api/admin"

// errNoNATS says that this process knows no NATS.
var errNoNATS = errors.New("no NATS is known to this process")

// registerAdmin is the table of what platform administrators may do, where there is a platform.
func (s *Server) registerAdmin() {
	if s.deps.Platform == nil {
		return
	}
	s.app.Use(adminPrefix, s.etag)
	s.registerAdminLicenses()
	s.registerAdminIngest()
	s.registerAdminDead()
	s.registerAdminJobs()
	s.registerAdminAudit()
	s.registerAdminRetention()
}

// adminRoute adds a route for platform administrators, which requireToken keeps others from. handle reads path, query and
// body itself and must end with in.err() before it changes anything.
func adminRoute[I, O any](s *Server, op huma.Operation, handle func(*fiber.Ctx, *inputs) error) {
	if op.Security = private(); len(op.Tags) == 0 {
		op.Tags = []string{"Administration"}
	}
	s.prepare(&op)
	op.Responses["404"] = s.problemResponse(http.StatusText(http.StatusNotFound))
	huma.Register(s.documenter, op, func(context.Context, *I) (*O, error) { return nil, nil })
	s.learn(op)
	path := strings.NewReplacer("{", ":", "}", "").Replace(op.Path)
	s.app.Add(op.Method, path, func(c *fiber.Ctx) error {
		in := newInputs(stateOf(c).values, s.known[knownKey(op.Method, op.Path)], s.deps.Now(), schema.Retention{})
		return handle(c, in)
	})
}

// page reads limit and cursor; fields is how many parts the cursor has.
func (in *inputs) page(list string, fields int) (limit int, place []string) {
	if limit = in.number("limit", 1, platform.MaxPage); limit == 0 {
		limit = defaultPage
	}
	if text := in.one("cursor"); text != "" {
		var ok bool
		if place, ok = unpackPlace(list, text, fields); !ok {
			in.add(query.Fault{Location: "query.cursor", Message: "is not of this list: begin anew without it", Value: clip(text)})
		}
	}
	return limit, place
}

// packPlace writes where a page of a list ended as an opaque text; fields have no '|'.
func packPlace(list string, fields ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "|" + strings.Join(fields, "|")))
}

func unpackPlace(list, text string, fields int) ([]string, bool) {
	if len(text) > 400 {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, false
	}
	parts := strings.Split(string(raw), "|")
	if len(parts) != fields+1 || parts[0] != list {
		return nil, false
	}
	return parts[1:], true
}

// placeID is a cursor that is an id; 0 = the list begins anew.
func (in *inputs) pageID(list string) (limit int, before int64) {
	limit, place := in.page(list, 1)
	if len(place) == 0 {
		return limit, 0
	}
	before, err := strconv.ParseInt(place[0], 10, 64)
	if err != nil || before < 1 {
		in.add(query.Fault{Location: "query.cursor", Message: "is not of this list: begin anew without it", Value: clip(in.one("cursor"))})
	}
	return limit, before
}

// moment is an optional time of a query.
func (in *inputs) moment(name string) *time.Time {
	text := in.one(name)
	if text == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		in.add(query.Fault{Location: "query." + name, Message: "is not an RFC 3339 time", Value: clip(text)})
		return nil
	}
	return &at
}

// id is an optional UUID of a query.
func (in *inputs) id(name string) *uuid.UUID {
	text := in.one(name)
	if text == "" {
		return nil
	}
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		in.add(query.Fault{Location: "query." + name, Message: "is not a UUID", Value: clip(text)})
		return nil
	}
	return &id
}

// words is an optional text of a query of at most most bytes.
func (in *inputs) words(name string, most int) string {
	text := in.one(name)
	if len(text) > most {
		in.add(query.Fault{Location: "query." + name, Message: "has more than " + strconv.Itoa(most) + " bytes", Value: clip(text)})
		return ""
	}
	if strings.ContainsRune(text, 0) || !validText(text) {
		in.add(query.Fault{Location: "query." + name, Message: "is not text", Value: nil})
		return ""
	}
	return text
}

func validText(text string) bool { return strings.ToValidUTF8(text, "") == text }

// pathID is a UUID of a path; what is none does not exist.
func pathID(c *fiber.Ctx, name string) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Params(name))
	if err != nil || id.String() != c.Params(name) {
		return uuid.Nil, errNotFound
	}
	return id, nil
}

// sendTagged answers with a value under the tag that If-Match may name: it is that of the value without the parts that
// change by themselves.
func sendTagged(c *fiber.Ctx, status int, value any, tag string) error {
	c.Set(fiber.HeaderETag, `"`+tag+`"`)
	return sendJSON(c, status, value)
}
