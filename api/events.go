package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/events"
	"corrosion/api/query"
	"corrosion/schema"
	"corrosion/schema/wire"
)

const (
	eventsPath = "/api/analytics/events"
	// defaultMarks and mostMarks bound the marks of one page.
	defaultMarks = 100
	mostMarks    = 1000
)

// The structs here describe parameters and bodies for the OpenAPI document.

type eventsInput struct {
	Range    string   `query:"range" doc:"Length before now: n minutes, hours or days, or a bare number of hours. Default 24h." example:"30d"`
	From     string   `query:"from" doc:"Start, included: RFC 3339, or epoch in seconds (in ms above 10^11)."`
	To       string   `query:"to" doc:"End, excluded, written like from. Default now."`
	ServerID []string `query:"server_id,explode" doc:"Only marks of these servers and of the whole network; repeatable."`
	Tag      []string `query:"tag,explode" doc:"Only marks of servers with this tag, key:value, and of the whole network; repeatable."`
	Group    []string `query:"group,explode" doc:"Only marks of servers of this group, and of the whole network; repeatable."`
	Kind     []string `query:"kind,explode" enum:"wipe,restart,deploy,map,note" doc:"Only marks of this kind; repeatable."`
	Limit    string   `query:"limit" doc:"How many marks a page has: 1 to 1000, default 100."`
	Cursor   string   `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

// Mark is one mark as it is shown.
type Mark struct {
	ID         uuid.UUID          `json:"id"`
	ServerID   *string            `json:"server_id" doc:"null: the whole network"`
	TS         time.Time          `json:"ts" doc:"When it happened"`
	Kind       schema.EventKind   `json:"kind" enum:"wipe,restart,deploy,map,note"`
	Title      string             `json:"title"`
	Text       string             `json:"text"`
	Data       json.RawMessage    `json:"data" doc:"An object, or null"`
	Source     schema.EventSource `json:"source" enum:"nats,api,samples" doc:"Who made it; samples: it was seen in what servers measured"`
	ReceivedAt time.Time          `json:"received_at" doc:"When it was stored"`
}

// MarkList is a page of marks, newest first.
type MarkList struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Events []Mark    `json:"events"`
	Next   *string   `json:"next" doc:"The cursor of the next page; null on the last one"`
}

type eventsOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	Body *MarkList
}

type eventInput struct {
	Body struct {
		ID       *uuid.UUID     `json:"id,omitempty" doc:"The mark's id, of your making: the same request again stores nothing more and answers 200 with what is stored."`
		ServerID string         `json:"server_id,omitempty" doc:"Left out: the whole network."`
		TS       string         `json:"ts,omitempty" doc:"When it happened: RFC 3339, or epoch milliseconds as a number; at most 400 days ago and 5 minutes ahead. Default now."`
		Kind     string         `json:"kind" enum:"wipe,restart,deploy,map,note"`
		Title    string         `json:"title" minLength:"1" maxLength:"200"`
		Text     string         `json:"text,omitempty" doc:"At most 4 KiB."`
		Data     map[string]any `json:"data,omitempty" doc:"An object of at most 16 KiB and 16 levels."`
	}
}

type eventOutput struct {
	Location string `header:"Location"`
	Body     *Mark
}

type eventPathInput struct {
	ID string `path:"id" doc:"The mark."`
}

func (s *Server) registerEvents() {
	tags := []string{"Events"}
	route[eventsInput, eventsOutput](s, huma.Operation{
		OperationID: "events", Method: http.MethodGet, Path: eventsPath, Tags: tags, Summary: "Marks: wipes, restarts, deploys, map changes, notes",
		Description: "Newest first. Marks come over NATS, by this API, and from the samples themselves, which show restarts, map changes and wipes.",
	}, auth.Viewer, s.listEvents)
	route[eventInput, eventOutput](s, huma.Operation{
		OperationID: "event-create", Method: http.MethodPost, Path: eventsPath, Tags: tags, Summary: "Add a mark", DefaultStatus: 201,
		Description: "For admins and owners. With an id of your own a request may be sent again without harm.",
	}, auth.Admin, s.createEvent)
	route[eventPathInput, struct{}](s, huma.Operation{
		OperationID: "event-delete", Method: http.MethodDelete, Path: eventsPath + "/{id}", Tags: tags, Summary: "Delete a mark", DefaultStatus: 204,
		Description: "For admins and owners. It does not come back, whatever it was made of.",
	}, auth.Admin, s.deleteEvent)
}

func (s *Server) listEvents(c *fiber.Ctx, who asker, in *inputs) error {
	scope := query.Scope{License: who.license, Servers: in.servers()}
	selector := in.selector()
	f := events.Filter{License: who.license, Range: in.timeRange(), Kinds: in.kinds(), Limit: in.number("limit", 1, mostMarks), Cursor: in.one("cursor")}
	if err := in.err(); err != nil {
		return err
	}
	if f.Limit == 0 {
		f.Limit = defaultMarks
	}
	scope, err := s.narrow(c.UserContext(), scope, selector)
	if err != nil {
		return err
	}
	f.Servers, f.Chosen = scope.Servers, scope.Selected || len(scope.Servers) > 0
	marks, next, err := s.deps.Events.List(c.UserContext(), f)
	if errors.Is(err, events.ErrCursor) {
		return badCursor(f.Cursor)
	}
	if err != nil {
		return err
	}
	list := MarkList{From: f.From.UTC(), To: f.To.UTC(), Events: make([]Mark, len(marks))}
	for i := range marks {
		list.Events[i] = markOf(&marks[i])
	}
	if next != "" {
		list.Next = &next
		// The next page is of the same range, whenever it is asked for.
		values := cloneValues(in.values, "range", "from", "to")
		values.Set("from", f.From.UTC().Format(time.RFC3339Nano))
		values.Set("to", f.To.UTC().Format(time.RFC3339Nano))
		linkNext(c, c.Path(), values, next)
	}
	return sendJSON(c, http.StatusOK, list)
}

func (in *inputs) kinds() (kinds []schema.EventKind) {
	for _, text := range in.values["kind"] {
		kind := schema.EventKind(text)
		if !kind.Valid() {
			in.add(query.Fault{Location: "query.kind", Message: "must be one of wipe, restart, deploy, map, note", Value: clip(text)})
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

func markOf(e *schema.Event) Mark {
	m := Mark{
		ID: e.ID, TS: time.UnixMilli(e.TS).UTC(), Kind: e.Kind, Title: e.Title, Text: e.Text, Source: e.Source,
		ReceivedAt: time.UnixMilli(e.ReceivedAt).UTC(), Data: json.RawMessage("null"),
	}
	if e.ServerID != "" {
		m.ServerID = &e.ServerID
	}
	if e.Data != "" {
		m.Data = json.RawMessage(e.Data)
	}
	return m
}

func (s *Server) createEvent(c *fiber.Ctx, who asker, in *inputs) error {
	b, err := readBody(c, in, "id", "server_id", "ts", "kind", "title", "text", "data")
	if err != nil {
		return err
	}
	e := b.event(who.license)
	if err := in.err(); err != nil {
		return err
	}
	stored, made, err := s.deps.Events.Add(c.UserContext(), e)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, eventsPath+"/"+stored.ID.String())
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return sendJSON(c, status, markOf(stored))
}

// event reads a mark; 0 is the ts of one that has none.
func (b *body) event(license uuid.UUID) schema.Event {
	e := schema.Event{License: license, ServerID: b.text("server_id", schema.MaxServerIDLen, false), TS: b.moment("ts")}
	if e.ServerID != "" && !schema.ValidServerID(e.ServerID) {
		b.fault("server_id", "is not a server's id: [A-Za-z0-9_-]{1,64}, none of reply, host, stats, events", clip(e.ServerID))
	}
	if id := b.text("id", 36, false); b.has("id") && !b.isNull("id") {
		var err error
		if e.ID, err = uuid.Parse(id); err != nil || len(id) != 36 || e.ID == uuid.Nil {
			b.fault("id", "is not a UUID", clip(id))
		}
	}
	e.Kind = schema.EventKind(b.text("kind", 16, false))
	if !e.Kind.Valid() {
		b.fault("kind", "must be one of wipe, restart, deploy, map, note", clip(string(e.Kind)))
	}
	e.Title = strings.TrimSpace(b.text("title", schema.MaxEventTitle, false))
	if e.Title == "" {
		b.fault("title", "is missing or blank", nil)
	}
	e.Text = b.text("text", schema.MaxEventText, true)
	if len(e.Text) > schema.MaxEventText {
		b.fault("text", fmt.Sprintf("has %d bytes; at most %d are allowed", len(e.Text), schema.MaxEventText), nil)
	}
	if b.has("data") && !b.isNull("data") {
		var reason string
		if e.Data, reason = wire.CompactObject(b.fields["data"]); reason != "" {
			b.fault("data", "is no good: "+reason, nil)
		}
	}
	return e
}

// moment is ms since the epoch, 0 where the field is absent.
func (b *body) moment(name string) int64 {
	if !b.has(name) || b.isNull(name) {
		return 0
	}
	var ms int64
	if json.Unmarshal(b.fields[name], &ms) != nil {
		var text string
		_ = json.Unmarshal(b.fields[name], &text)
		t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
		if err != nil {
			b.fault(name, "is neither an RFC 3339 time nor epoch milliseconds", json.RawMessage(shorten(b.fields[name])))
			return 0
		}
		ms = t.UnixMilli()
	}
	switch now := b.in.now.UnixMilli(); {
	case ms > now+schema.MaxAhead.Milliseconds():
		b.fault(name, "lies more than 5 minutes ahead", json.RawMessage(shorten(b.fields[name])))
	case ms < now-schema.EventRetention.Milliseconds():
		b.fault(name, "lies more than 400 days back; older marks are not kept", json.RawMessage(shorten(b.fields[name])))
	}
	return ms
}

func (s *Server) deleteEvent(c *fiber.Ctx, who asker, in *inputs) error {
	if err := in.err(); err != nil {
		return err
	}
	text := c.Params("id")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return errNotFound
	}
	if err := s.deps.Events.Delete(c.UserContext(), who.license, id); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}
