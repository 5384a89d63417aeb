package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/auth"
	"corrosion/api/query"
	"corrosion/api/registry"
	"corrosion/schema"
)

const (
	serversPath = "/api/analytics/servers"
	serverPath  = serversPath + "/{server_id}"
	// defaultPage and mostPage bound the servers of one page.
	defaultPage = 100
	mostPage    = 500
)

// The structs here describe parameters and bodies for the OpenAPI document.

type serversInput struct {
	Tag      []string `query:"tag,explode" doc:"Only servers with this tag, key:value; repeatable: values of one key are alternatives, different keys must all fit."`
	Group    []string `query:"group,explode" doc:"Only servers of this group; repeatable: any of them."`
	State    string   `query:"state" enum:"online,silent" doc:"Only servers in this state. Silent is who said nothing for five minutes, or for two expected intervals where that is longer."`
	Search   string   `query:"search" maxLength:"100" doc:"Only servers with this in their id, name or the value of a tag, whatever the case."`
	Archived string   `query:"archived" enum:"false,true" default:"false" doc:"The archived servers instead of the others."`
	Sort     string   `query:"sort" default:"server_id" doc:"server_id, name, state, first_seen, last_seen or a measured field, as it was last measured; with a minus before it from the highest down. Servers without the value come last." example:"-players"`
	Limit    string   `query:"limit" doc:"How many servers a page has: 1 to 500, default 100."`
	Cursor   string   `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

type serversOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	Body *registry.List
}

// ServerSettings are what people say about a server, in a body.
type ServerSettings struct {
	Name              string            `json:"name,omitempty" maxLength:"200" doc:"What people call it."`
	Tags              map[string]string `json:"tags,omitempty" doc:"At most 50: keys of [A-Za-z0-9_.-]{1,64}, values of at most 128 characters. In a PATCH a null takes a tag away and the others stay."`
	Groups            []string          `json:"groups,omitempty" doc:"At most 50 names of at most 64 characters."`
	Notes             string            `json:"notes,omitempty" maxLength:"4000"`
	ExpectedIntervalS *int              `json:"expected_interval_s,omitempty" minimum:"1" maximum:"86400" doc:"Seconds between samples, as it is meant to be."`
}

type serverPathInput struct {
	ServerID string `path:"server_id" doc:"The server."`
}

type serverEditInput struct {
	ServerID string         `path:"server_id" doc:"The server."`
	IfMatch  string         `header:"If-Match" doc:"The ETag that was read last: the change is refused where somebody else was faster."`
	Body     ServerSettings `json:"body"`
}

type serverCreateInput struct {
	Body struct {
		ServerSettings
		ServerID string `json:"server_id" doc:"[A-Za-z0-9_-]{1,64}"`
	}
}

type serverOutput struct {
	ETag string `header:"ETag" doc:"For If-Match and If-None-Match"`
	Body *registry.Server
}

func (s *Server) registerServers() {
	tags := []string{"Servers"}
	route[serversInput, serversOutput](s, huma.Operation{
		OperationID: "servers", Method: http.MethodGet, Path: serversPath, Tags: tags, Summary: "The license's servers",
		Description: "Every server that ever sent a sample or was added by hand, with its state, latest values and players by the hour.",
	}, auth.Viewer, s.listServers)
	route[serverCreateInput, serverOutput](s, huma.Operation{
		OperationID: "server-create", Method: http.MethodPost, Path: serversPath, Tags: tags, Summary: "Add a server by hand", DefaultStatus: 201,
		Description: "Servers are known with their first sample; this is for those that have sent none yet. For admins and owners.",
	}, auth.Admin, s.createServer)
	route[serverPathInput, serverOutput](s, huma.Operation{
		OperationID: "server", Method: http.MethodGet, Path: serverPath, Tags: tags, Summary: "One server",
	}, auth.Viewer, s.showServer)
	route[serverEditInput, serverOutput](s, huma.Operation{
		OperationID: "server-replace", Method: http.MethodPut, Path: serverPath, Tags: tags, Summary: "Write what is known of a server anew",
		Description: "What is left out becomes empty; whether the server is archived stays. For admins and owners.",
	}, auth.Admin, s.replaceServer)
	route[serverEditInput, serverOutput](s, huma.Operation{
		OperationID: "server-change", Method: http.MethodPatch, Path: serverPath, Tags: tags, Summary: "Change some of what is known of a server",
		Description: "What is left out stays, null empties. For admins and owners.",
	}, auth.Admin, s.patchServer)
	for verb, what := range map[string]string{
		"archive":   "It leaves lists and counts; its history stays, and so does what it still sends. For admins and owners.",
		"unarchive": "It is listed and counted again. For admins and owners.",
	} {
		route[serverPathInput, serverOutput](s, huma.Operation{
			OperationID: "server-" + verb, Method: http.MethodPost, Path: serverPath + "/" + verb, Tags: tags,
			Summary: "Take a server out of use, or back", Description: what, DefaultStatus: 200,
		}, auth.Admin, s.archiveServer(verb == "archive"))
	}
}

func (s *Server) listServers(c *fiber.Ctx, who asker, in *inputs) error {
	r := registry.ListRequest{
		License: who.license, Selector: in.selector(), Search: in.one("search"), Cursor: in.one("cursor"),
		State: choice(in, "state", "", registry.Online, registry.Silent), Archived: choice(in, "archived", "false", "true") == "true",
		Sort: choice(in, "sort", sortChoices()...), Limit: in.number("limit", 1, mostPage),
	}
	if len(r.Search) > 100 {
		in.add(query.Fault{Location: "query.search", Message: "has more than 100 bytes", Value: clip(r.Search)})
	}
	if err := in.err(); err != nil {
		return err
	}
	if r.Limit == 0 {
		r.Limit = defaultPage
	}
	list, err := s.deps.Registry.List(c.UserContext(), r)
	if errors.Is(err, registry.ErrCursor) {
		return badCursor(r.Cursor)
	}
	if err != nil {
		return err
	}
	if list.Next != nil {
		linkNext(c, c.Path(), in.values, *list.Next)
	}
	return sendJSON(c, http.StatusOK, list)
}

func badCursor(cursor string) error {
	return &query.Faults{Code: query.CodeInvalid, List: []query.Fault{{Location: "query.cursor", Message: "is not of this list: begin anew without it", Value: clip(cursor)}}}
}

// sortChoices are the ways to sort, the default first.
func sortChoices() (choices []string) {
	for _, key := range registry.SortKeys() {
		choices = append(choices, key, "-"+key)
	}
	return choices
}

// serverOf is the server that a path names; what cannot be one does not exist.
func serverOf(c *fiber.Ctx) (string, error) {
	id := c.Params("server_id")
	if !schema.ValidServerID(id) {
		return "", errNotFound
	}
	return id, nil
}

func (s *Server) showServer(c *fiber.Ctx, who asker, in *inputs) error {
	id, err := serverOf(c)
	if err != nil {
		return err
	}
	if err := in.err(); err != nil {
		return err
	}
	return s.sendServer(c, who, id, http.StatusOK)
}

func (s *Server) sendServer(c *fiber.Ctx, who asker, id string, status int) error {
	server, err := s.deps.Registry.Find(c.UserContext(), who.license, id)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderETag, `"`+server.Tag()+`"`)
	return sendJSON(c, status, server)
}

func (s *Server) createServer(c *fiber.Ctx, who asker, in *inputs) error {
	b, err := readBody(c, in, append(settingFields(), "server_id")...)
	if err != nil {
		return err
	}
	id := b.text("server_id", schema.MaxServerIDLen, false)
	if !schema.ValidServerID(id) {
		b.fault("server_id", "is not a server's id: [A-Za-z0-9_-]{1,64}, none of reply, host, stats, events", clip(id))
	}
	settings := b.settings(registry.Settings{}, true)
	if err := in.err(); err != nil {
		return err
	}
	if _, err := s.deps.Registry.Create(c.UserContext(), who.license, id, settings); err != nil {
		return serverFull(err)
	}
	c.Set(fiber.HeaderLocation, serversPath+"/"+id)
	return s.sendServer(c, who, id, http.StatusCreated)
}

func serverFull(err error) error {
	if errors.Is(err, registry.ErrFull) {
		return &query.Faults{Code: query.CodeInvalid, List: []query.Fault{{
			Location: "body", Message: fmt.Sprintf("would be more than the %d servers that may be written down", registry.MaxServers),
		}}}
	}
	return err
}

func (s *Server) replaceServer(c *fiber.Ctx, who asker, in *inputs) error {
	return s.editServer(c, who, in, true)
}

func (s *Server) patchServer(c *fiber.Ctx, who asker, in *inputs) error {
	return s.editServer(c, who, in, false)
}

func (s *Server) editServer(c *fiber.Ctx, who asker, in *inputs, whole bool) error {
	id, err := serverOf(c)
	if err != nil {
		return err
	}
	b, err := readBody(c, in, settingFields()...)
	if err != nil {
		return err
	}
	b.settings(registry.Settings{}, whole) // finds faults before anything is looked up
	if err := in.err(); err != nil {
		return err
	}
	_, err = s.deps.Registry.Change(c.UserContext(), who.license, id, func(before registry.Settings) (registry.Settings, error) {
		if !fits(c.Get(fiber.HeaderIfMatch), before.Tag()) {
			return before, registry.ErrChanged
		}
		after := b.settings(before, whole)
		return after, in.err() // a PATCH may add up to too many tags
	})
	if err != nil {
		return serverFull(err)
	}
	return s.sendServer(c, who, id, http.StatusOK)
}

func (s *Server) archiveServer(archive bool) func(*fiber.Ctx, asker, *inputs) error {
	return func(c *fiber.Ctx, who asker, in *inputs) error {
		id, err := serverOf(c)
		if err != nil {
			return err
		}
		if err := in.err(); err != nil {
			return err
		}
		_, err = s.deps.Registry.Change(c.UserContext(), who.license, id, func(settings registry.Settings) (registry.Settings, error) {
			if !fits(c.Get(fiber.HeaderIfMatch), settings.Tag()) {
				return settings, registry.ErrChanged
			}
			return archived(settings, archive, in.now), nil
		})
		if err != nil {
			return serverFull(err)
		}
		return s.sendServer(c, who, id, http.StatusOK)
	}
}

// archived keeps when a server was archived first.
func archived(s registry.Settings, archive bool, now time.Time) registry.Settings {
	if !archive {
		s.ArchivedAt = nil
	} else if s.ArchivedAt == nil {
		s.ArchivedAt = &now
	}
	return s
}
