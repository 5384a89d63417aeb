package api

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/installation"
	"corrosion/api/query"
	"corrosion/schema"
	"corrosion/schema/command"
)

const (
	installationsPath = "/api/modules/installations"
	installationPath  = installationsPath + "/{id}"
	anyModulePath     = "/api/modules/{slug}"
)

// The structs here describe parameters and bodies for the OpenAPI document.

type installInput struct {
	Slug string `path:"slug" doc:"The module."`
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"The license's; the same key again gives the installation that is there. With another body it is a 422 idempotency-key-reused."`
	Body struct {
		ServerID string `json:"server_id" doc:"[A-Za-z0-9_-]{1,64}"`
		Version  string `json:"version,omitempty" doc:"Which version; left out = the latest." example:"1.0.0"`
	}
}

type installOutput struct {
	Location string `header:"Location" doc:"The installation"`
	Body     InstallationView
}

type installationsInput struct {
	ServerID string `query:"server_id" doc:"Only those on this server."`
	Module   string `query:"module" doc:"Only those of this module."`
	Status   string `query:"status" enum:"pending,dispatched,downloading,installing,installed,failed,cancelled,uninstalling,uninstalled" doc:"Only those in this status."`
	Limit    string `query:"limit" doc:"How many a page has: 1 to 500, default 100."`
	Cursor   string `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

type installationsOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	ETag string `header:"ETag" doc:"For If-None-Match"`
	Body installationList
}

type installationIDInput struct {
	ID string `path:"id" format:"uuid" doc:"The installation."`
}

type installationOutput struct {
	ETag string `header:"ETag" doc:"For If-None-Match: 304 while nothing has changed"`
	Body installationDetails
}

type installationChanged struct{ Body InstallationView }

func (s *Server) registerInstallations() {
	if s.deps.Installations == nil {
		return
	}
	tags := []string{"Installations"}
	s.app.Use(installationsPath, s.etag)
	route[installationsInput, installationsOutput](s, huma.Operation{
		OperationID: "installations", Method: http.MethodGet, Path: installationsPath, Tags: tags, Summary: "The license's installations, the newest first",
	}, auth.Viewer, s.listInstallations)
	route[installationIDInput, installationOutput](s, huma.Operation{
		OperationID: "installation", Method: http.MethodGet, Path: installationPath, Tags: tags, Summary: "One installation, with its history",
		Description: "Meant to be polled with If-None-Match. status goes pending → dispatched → downloading → installing → installed, or ends in failed or cancelled; uninstalling → uninstalled takes it back.",
	}, auth.Viewer, s.showInstallation)
	for verb, op := range map[string]struct {
		summary, about string
		do             func(*fiber.Ctx, asker, uuid.UUID) (installation.Installation, error)
	}{
		"retry":    {"Begin a failed installation again", "For admins and owners.", s.retryInstallation},
		"rollback": {"Put the version before back", "A new installation of the version that this one replaced; the agent keeps its file. For admins and owners.", s.rollbackInstallation},
	} {
		route[installationIDInput, installOutput](s, huma.Operation{
			OperationID: "installation-" + verb, Method: http.MethodPost, Path: installationPath + "/" + verb, Tags: tags,
			Summary: op.summary, Description: op.about, DefaultStatus: 202,
		}, auth.Admin, s.changeInstallation(op.do))
	}
	route[installationIDInput, installationChanged](s, huma.Operation{
		OperationID: "installation-remove", Method: http.MethodDelete, Path: installationPath, Tags: tags, Summary: "Cancel or uninstall", DefaultStatus: 202,
		Description: "What the agent has not had is cancelled at once; a file that may be there is taken away by the agent, which status tells. For admins and owners.",
	}, auth.Admin, s.changeInstallation(s.removeInstallation))
	route[installInput, installOutput](s, huma.Operation{
		OperationID: "install", Method: http.MethodPost, Path: anyModulePath + "/install", Tags: tags, Summary: "Install a module on a server", DefaultStatus: 202,
		Description: "Only modules that the license owns. What the module needs comes first, by itself where the license owns it. For admins and owners.",
	}, auth.Admin, s.install)
	s.registerRollouts()
	s.registerAgents()
}

// by is who asks, for the audit log and the histories.
func by(c *fiber.Ctx) installation.By {
	st := stateOf(c)
	b := installation.By{Actor: st.identity.Subject, Origin: audit.Origin{Address: st.address, UserAgent: c.Get(fiber.HeaderUserAgent), RequestID: st.id}}
	if id, ok := st.identity.Account(); ok {
		b.ActorID = &id
	}
	return b
}

// pathModule is the module that a path names; what cannot be one does not exist.
func pathModule(c *fiber.Ctx) (string, error) {
	slug := c.Params("slug")
	if !command.ValidModule(slug) {
		return "", errNotFound
	}
	return slug, nil
}

func (s *Server) install(c *fiber.Ctx, who asker, in *inputs) error {
	slug, err := pathModule(c)
	if err != nil {
		return err
	}
	b, err := readBody(c, in, "server_id", "version")
	if err != nil {
		return err
	}
	ask := installation.Ask{
		License: who.license, Module: slug, Server: b.text("server_id", schema.MaxServerIDLen, false),
		Version: b.text("version", command.MaxVersion, false), Key: idempotencyKey(c, in), By: by(c),
	}
	if !schema.ValidServerID(ask.Server) {
		b.fault("server_id", "is not a server's id: [A-Za-z0-9_-]{1,64}, none of reply, host, stats, events", clip(ask.Server))
	}
	if err := in.err(); err != nil {
		return err
	}
	made, err := s.deps.Installations.Install(c.UserContext(), ask)
	if err != nil {
		return explainNeeds(err)
	}
	c.Set(fiber.HeaderLocation, installationsPath+"/"+made.ID.String())
	return sendJSON(c, http.StatusAccepted, viewInstallation(made))
}

func (s *Server) listInstallations(c *fiber.Ctx, who asker, in *inputs) error {
	statuses := []installation.Status{""}
	filter := installation.Filter{
		License: who.license, Server: in.one("server_id"), Module: in.one("module"),
		Status: choice(in, "status", append(statuses, installation.Statuses()...)...), Limit: in.number("limit", 1, mostPage),
	}
	cursor := in.one("cursor")
	if cursor != "" {
		place, ok := openPlace(cursor)
		if !ok {
			in.add(query.Fault{Location: "query.cursor", Message: "is not of this list: begin anew without it", Value: clip(cursor)})
		}
		filter.Before = place
	}
	if err := in.err(); err != nil {
		return err
	}
	if filter.Limit == 0 {
		filter.Limit = defaultPage
	}
	page, next, err := s.deps.Installations.List(c.UserContext(), filter)
	if err != nil {
		return err
	}
	list := installationList{Installations: []InstallationView{}}
	for _, one := range page {
		list.Installations = append(list.Installations, viewInstallation(one))
	}
	if next != nil {
		text := sealPlace(*next)
		list.Next = &text
		linkNext(c, installationsPath, in.values, text)
	}
	return sendJSON(c, http.StatusOK, list)
}

// sealPlace is a cursor: a place in the order of the list. It selects nothing that the token does not.
func sealPlace(p installation.Place) string {
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(p.Created.UnixMicro())), p.ID[:]...))
}

func openPlace(text string) (installation.Place, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 24 {
		return installation.Place{}, false
	}
	created := time.UnixMicro(int64(binary.BigEndian.Uint64(raw))).UTC()
	return installation.Place{Created: created, ID: uuid.UUID(raw[8:])}, created.Year() > 2000 && created.Year() < 9999
}

func (s *Server) showInstallation(c *fiber.Ctx, who asker, in *inputs) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	if err := in.err(); err != nil {
		return err
	}
	found, err := s.deps.Installations.Find(c.UserContext(), who.license, id)
	if err != nil {
		return err
	}
	history, err := s.deps.Installations.History(c.UserContext(), found.ID)
	if err != nil {
		return err
	}
	presence, err := s.deps.Installations.Presence(c.UserContext(), who.license, found.Server)
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, viewDetails(found, history, presence))
}

func (s *Server) changeInstallation(do func(*fiber.Ctx, asker, uuid.UUID) (installation.Installation, error)) func(*fiber.Ctx, asker, *inputs) error {
	return func(c *fiber.Ctx, who asker, in *inputs) error {
		id, err := pathID(c, "id")
		if err != nil {
			return err
		}
		if err := in.err(); err != nil {
			return err
		}
		changed, err := do(c, who, id)
		if err != nil {
			return explainNeeds(err)
		}
		c.Set(fiber.HeaderLocation, installationsPath+"/"+changed.ID.String())
		return sendJSON(c, http.StatusAccepted, viewInstallation(changed))
	}
}

func (s *Server) retryInstallation(c *fiber.Ctx, who asker, id uuid.UUID) (installation.Installation, error) {
	return s.deps.Installations.Retry(c.UserContext(), who.license, id, by(c))
}

func (s *Server) rollbackInstallation(c *fiber.Ctx, who asker, id uuid.UUID) (installation.Installation, error) {
	return s.deps.Installations.Rollback(c.UserContext(), who.license, id, by(c))
}

func (s *Server) removeInstallation(c *fiber.Ctx, who asker, id uuid.UUID) (installation.Installation, error) {
	return s.deps.Installations.Remove(c.UserContext(), who.license, id, by(c))
}
