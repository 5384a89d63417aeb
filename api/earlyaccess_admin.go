package api

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/audit"
	"corrosion/api/earlyaccess"
	"corrosion/api/query"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// defaultSignups and mostSignups bound the signups of one page.
const (
	defaultSignups = 100
	mostSignups    = 1000
)

type signupsInput struct {
	Segment string `query:"segment" enum:"1,2-5,6-25,26-100,101+" doc:"Only signups of this segment. Default all."`
	Limit   string `query:"limit" doc:"How many signups a page has: 1 to 1000, default 100."`
	Cursor  string `query:"cursor" doc:"Where the page begins: next of the page before."`
}

type signupsExportInput struct {
	Segment string `query:"segment" enum:"1,2-5,6-25,26-100,101+" doc:"Only signups of this segment. Default all."`
}

// SignupList is a page of the list.
type SignupList struct {
	Segments []SegmentBody `json:"segments" doc:"All of them, whatever was asked for"`
	Signups  []SignupBody  `json:"signups" doc:"In the order of their places"`
	Next     *string       `json:"next" doc:"The cursor of the next page; null on the last one"`
}

// SegmentBody counts one segment.
type SegmentBody struct {
	Segment   string `json:"segment" enum:"1,2-5,6-25,26-100,101+"`
	Signups   int64  `json:"signups"`
	Confirmed int64  `json:"confirmed"`
}

// SignupBody is one signup.
type SignupBody struct {
	Position     int64      `json:"position"`
	Email        string     `json:"email"`
	ServerCount  int32      `json:"server_count"`
	Segment      string     `json:"segment" enum:"1,2-5,6-25,26-100,101+"`
	NetworkName  *string    `json:"network_name" doc:"Of who asked for a founding slot"`
	FoundingSlot *int16     `json:"founding_slot" doc:"null = none; with network_name: on the waiting list"`
	CreatedAt    time.Time  `json:"created_at"`
	ConfirmedAt  *time.Time `json:"confirmed_at" doc:"When the link in the mail was opened"`
}

type forgetInput struct {
	Position int64 `path:"position" minimum:"1" doc:"The place."`
}

func (s *Server) registerEarlyAdmin() {
	forAdmins := func(op huma.Operation) huma.Operation {
		op.Security = private()
		op.Description = strings.TrimSpace(op.Description + " For platform administrators.")
		return op
	}
	registerEarly(s, forAdmins(huma.Operation{
		OperationID: "signups", Method: http.MethodGet, Path: earlyAdminPath, Summary: "Who is on the list",
	}), s.listSignups)
	registerEarly(s, forAdmins(huma.Operation{
		OperationID: "eraseSignup", Method: http.MethodDelete, Path: earlyAdminPath + "/{position}", DefaultStatus: http.StatusNoContent,
		Summary:     "Erase who has a place",
		Description: "The email and the network's name go, also from votes; the place stays empty, and a founding slot falls free.",
	}), func(ctx context.Context, st *requestState, in *forgetInput) (*struct{}, error) {
		return nil, s.deps.EarlyAccess.Forget(ctx, in.Position, adminEvent(st))
	})
	describe[signupsExportInput](s, forAdmins(huma.Operation{
		OperationID: "exportSignups", Method: http.MethodGet, Path: earlyExportPath, Tags: []string{"Early access"}, Summary: "The list as CSV",
		Description: "RFC 4180 with a header row, in the order of places; cells that a spreadsheet would run as a formula begin with an apostrophe.",
		Responses:   map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{"text/csv": {}}}},
	}))
	s.app.Get(earlyExportPath, s.exportSignups)
}

// adminEvent is an audit entry of who asks.
func adminEvent(st *requestState) audit.Event {
	event := audit.Event{Origin: st.origin()}
	if id, ok := st.identity.Account(); ok {
		event.ActorID, event.Actor = &id, st.identity.Subject
	}
	return event
}

// segment is a parameter that may name one.
func (in *inputs) segment() string {
	text := in.one("segment")
	if text != "" && !slices.Contains(earlyaccess.Segments(), text) {
		in.add(query.Fault{Location: "query.segment", Message: "must be one of " + strings.Join(earlyaccess.Segments(), " "), Value: clip(text)})
	}
	return text
}

func (s *Server) listSignups(ctx context.Context, st *requestState, _ *signupsInput) (*fresh[SignupList], error) {
	in := newInputs(st.values, s.known[earlyAdminPath], s.deps.Now(), schema.Retention{})
	r := earlyaccess.ListRequest{Segment: in.segment(), After: int64(in.number("cursor", 0, math.MaxInt)), Limit: int32(in.number("limit", 1, mostSignups))}
	if err := in.err(); err != nil {
		return nil, err
	}
	if r.Limit == 0 {
		r.Limit = defaultSignups
	}
	page := r.Limit
	r.Limit++
	rows, err := s.deps.EarlyAccess.List(ctx, r)
	if err != nil {
		return nil, err
	}
	counts, err := s.deps.EarlyAccess.Counts(ctx)
	if err != nil {
		return nil, err
	}
	list := SignupList{Segments: make([]SegmentBody, len(counts)), Signups: []SignupBody{}}
	for i, count := range counts {
		list.Segments[i] = SegmentBody(count)
	}
	if len(rows) > int(page) {
		rows = rows[:page]
		next := strconv.FormatInt(rows[page-1].Position, 10)
		list.Next = &next
	}
	for i := range rows {
		list.Signups = append(list.Signups, signupBody(&rows[i], s.deps.Now()))
	}
	return &fresh[SignupList]{CacheControl: "private, no-store", Body: list}, nil
}

func signupBody(row *pg.ListSignupsRow, now time.Time) SignupBody {
	body := SignupBody{
		Position: row.Position, Email: row.Email, ServerCount: row.ServerCount, Segment: row.Segment, NetworkName: row.NetworkName, CreatedAt: row.CreatedAt.UTC(),
	}
	if earlyaccess.Holds(row, now) {
		body.FoundingSlot = &row.Slot
	}
	if row.ConfirmedAt != nil {
		at := row.ConfirmedAt.UTC()
		body.ConfirmedAt = &at
	}
	return body
}

func (s *Server) exportSignups(c *fiber.Ctx) error {
	st := stateOf(c)
	in := newInputs(st.values, s.known[earlyExportPath], s.deps.Now(), schema.Retention{})
	segment := in.segment()
	if err := in.err(); err != nil {
		return err
	}
	if err := s.deps.EarlyAccess.Exported(c.UserContext(), segment, adminEvent(st)); err != nil {
		return err
	}
	name := "early-access"
	if segment != "" {
		name += "-" + strings.ReplaceAll(segment, "+", "-or-more")
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+"-"+s.deps.Now().UTC().Format(time.DateOnly)+`.csv"`)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	// Not the request's own context: that ends with this handler.
	stream := &signupStream{Reader: s.deps.EarlyAccess.CSV(s.base, segment)}
	st.stream = stream
	c.Context().SetBodyStream(stream, -1)
	return nil
}

// signupStream is the body of an export; an error of Read breaks the connection, so that no file looks whole that is not.
type signupStream struct {
	io.Reader
	sent  int
	err   error
	ended func(sent int, err error)
}

func (e *signupStream) whenEnded(f func(sent int, err error)) { e.ended = f }

func (e *signupStream) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	e.sent += n
	if err != nil && err != io.EOF { //nolint:errorlint // only the bare io.EOF ends a whole file
		e.err = err
	}
	return n, err
}

// CloseWithError is called by fasthttp at the end, however it came.
func (e *signupStream) CloseWithError(writeErr error) error {
	err := errors.Join(writeErr, e.err)
	if e.ended != nil {
		e.ended(e.sent, err)
	}
	return err
}
