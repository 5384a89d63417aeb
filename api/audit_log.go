package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/query"
)

const (
	auditPath      = "/api/audit"
	adminAuditPath = adminPrefix + "/audit"
)

// AuditInput chooses entries of the audit log.
type AuditInput struct {
	Actor      string `query:"actor_id" format:"uuid" doc:"Only what this account did."`
	Action     string `query:"action" maxLength:"100" doc:"Only this action, or all of a noun: server.*" example:"server.*"`
	TargetKind string `query:"target_kind" maxLength:"100" doc:"Only what was done to this kind of thing." example:"server"`
	TargetID   string `query:"target_id" maxLength:"200" doc:"Only what was done to the thing of this id."`
	From       string `query:"from" format:"date-time" doc:"Start, included."`
	To         string `query:"to" format:"date-time" doc:"End, excluded."`
	Format     string `query:"format" enum:"json,csv,ndjson" default:"json" doc:"csv and ndjson give every entry as a file; limit and cursor are for json."`
	Limit      string `query:"limit" doc:"How many entries a page has: 1 to 500, default 100."`
	Cursor     string `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

type adminAuditInput struct {
	LicenseID string `query:"license_id" format:"uuid" doc:"Only what concerns this license."`
	AuditInput
}

// AuditPage is a page of what was done.
type AuditPage struct {
	Entries []audit.Entry `json:"entries"`
	Next    *string       `json:"next" doc:"The next page's cursor; null = this is the last"`
}

type auditOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	Body AuditPage
}

const auditText = "Newest first: who did what to which thing, when, and from where. Entries are never changed. As csv or ndjson every entry that is chosen comes as a file."

// registerAudit serves a license's entries to its owners.
func (s *Server) registerAudit() {
	if s.deps.Platform == nil {
		return
	}
	route[AuditInput, auditOutput](s, huma.Operation{
		OperationID: "audit", Method: http.MethodGet, Path: auditPath, Tags: []string{"Audit"}, Summary: "What was done in the license",
		Description: auditText + " For owners.", Responses: s.auditFiles(),
	}, auth.Owner, func(c *fiber.Ctx, who asker, in *inputs) error {
		return s.sendAudit(c, in, auditPath, &who.license)
	})
}

func (s *Server) registerAdminAudit() {
	adminRoute[adminAuditInput, auditOutput](s, huma.Operation{
		OperationID: "admin-audit", Method: http.MethodGet, Path: adminAuditPath, Summary: "What was done in all licenses and on the platform",
		Description: auditText, Responses: s.auditFiles(),
	}, func(c *fiber.Ctx, in *inputs) error {
		return s.sendAudit(c, in, adminAuditPath, in.id("license_id"))
	})
}

// auditFiles are the good answers, of which some are files.
func (s *Server) auditFiles() map[string]*huma.Response {
	page := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[AuditPage](), true, "AuditPage")
	text := &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	return map[string]*huma.Response{"200": {
		Description: "A page, or the file",
		Content:     map[string]*huma.MediaType{fiber.MIMEApplicationJSON: {Schema: page}, "text/csv": text, "application/x-ndjson": text},
	}}
}

// sendAudit answers with the entries of a license; nil = of all.
func (s *Server) sendAudit(c *fiber.Ctx, in *inputs, path string, license *uuid.UUID) error {
	limit, before := in.pageID("audit")
	f := audit.Filter{
		License: license, Actor: in.id("actor_id"), Action: in.words("action", 100), TargetKind: in.words("target_kind", 100),
		TargetID: in.words("target_id", 200), From: in.moment("from"), To: in.moment("to"), Before: before,
	}
	format := choice(in, "format", "json", "csv", "ndjson")
	if f.From != nil && f.To != nil && !f.From.Before(*f.To) {
		in.add(query.Fault{Location: "query.to", Message: "must be after from", Value: in.one("to")})
	}
	for _, name := range []string{"limit", "cursor"} {
		if format != "json" && len(in.values[name]) > 0 {
			in.add(query.Fault{Location: "query." + name, Message: "is for format=json; a file has every entry", Value: in.one(name)})
		}
	}
	if err := in.err(); err != nil {
		return err
	}
	if format != "json" {
		return s.sendAuditFile(c, f, format)
	}
	entries, err := s.deps.Platform.Audit(c.UserContext(), f, limit)
	if err != nil {
		return err
	}
	answer := AuditPage{Entries: entries}
	if len(entries) == limit {
		cursor := packPlace("audit", strconv.FormatInt(entries[limit-1].ID, 10))
		answer.Next = &cursor
		linkNext(c, path, in.values, cursor)
	}
	return sendJSON(c, http.StatusOK, answer)
}
