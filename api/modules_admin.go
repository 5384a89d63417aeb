package api

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"corrosion/api/module"
	"corrosion/api/purchase"
	"corrosion/api/query"
)

const (
	adminModulesPath   = "/api/admin/modules"
	adminModulePath    = adminModulesPath + "/{slug}"
	adminVersionsPath  = adminModulePath + "/versions"
	adminVersionPath   = adminVersionsPath + "/{version}"
	adminPurchasesPath = "/api/admin/purchases"
	adminPurchasePath  = adminPurchasesPath + "/{id}"
	// uploadRoom is what an upload has beside its file, bytes; uploadTime is how long one may take.
	uploadRoom = 256 << 10
	uploadTime = 5 * time.Minute
)

type adminModulesInput struct {
	Search   string `query:"search" maxLength:"100"`
	Category string `query:"category"`
	Game     string `query:"game"`
	Status   string `query:"status" enum:"draft,published,deprecated"`
	Sort     string `query:"sort" default:"name" doc:"As in the catalogue."`
	Limit    string `query:"limit" doc:"1 to 200, default 50."`
	Cursor   string `query:"cursor"`
}

// ModuleBody is what administrators say about a module.
type ModuleBody struct {
	Name        string        `json:"name,omitempty" maxLength:"100"`
	Description string        `json:"description,omitempty" maxLength:"20000" doc:"Markdown"`
	Features    []string      `json:"features,omitempty" maxItems:"50"`
	Price       string        `json:"price,omitempty" doc:"Decimal string; 0 is free" example:"9.99"`
	Currency    string        `json:"currency,omitempty" doc:"ISO 4217" example:"USD"`
	PluginURL   *string       `json:"plugin_url,omitempty" maxLength:"2000" doc:"https"`
	Publisher   string        `json:"publisher,omitempty" maxLength:"100"`
	Category    string        `json:"category,omitempty"`
	Icon        string        `json:"icon,omitempty"`
	Compatible  []module.Game `json:"compatible,omitempty" maxItems:"20"`
}

type moduleCreateInput struct {
	Body struct {
		Slug string `json:"slug" doc:"Small letters, digits and minus; never changes"`
		ModuleBody
	}
}

type moduleEditInput struct {
	ModulePath
	IfMatch string     `header:"If-Match" doc:"The ETag that was read last: the change is refused where somebody else was faster."`
	Body    ModuleBody `json:"body"`
}

type moduleSetInput struct {
	ModulePath
	IfMatch string `header:"If-Match"`
}

type versionInput struct {
	ModulePath
	Body struct {
		Version      string              `json:"version" example:"1.1.0"`
		File         string              `json:"file" doc:"Name of the plugin file" example:"LootManager.cs"`
		URL          string              `json:"url,omitempty" maxLength:"2000" doc:"Where the file lies, https; not with an upload"`
		SHA256       string              `json:"sha256,omitempty" doc:"Of the file, with url"`
		Size         int64               `json:"size,omitempty" doc:"Of the file in bytes, with url"`
		Changelog    string              `json:"changelog,omitempty" maxLength:"20000"`
		Dependencies []module.Dependency `json:"dependencies,omitempty" maxItems:"20"`
	}
}

type versionPathInput struct {
	ModulePath
	Version string `path:"version"`
}

type adminPurchasesInput struct {
	License string `query:"license_id" format:"uuid" doc:"Only this license's. Default all."`
	Status  string `query:"status" enum:"pending,capturing,completed,refunding,refunded,failed,cancelled"`
	PurchasesPage
}

// registerAdminModules is the table of what platform administrators do with modules. accessOf keeps others out.
func (s *Server) registerAdminModules() {
	op := func(id, method, path, summary, description string, status int) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: path, Tags: []string{"Administration"}, Summary: summary, Description: description, DefaultStatus: status,
		}
	}
	adminRoute[adminModulesInput, modulesOutput](s, op("admin-modules", http.MethodGet, adminModulesPath, "All modules", "Drafts, too.", 200), s.adminListModules)
	adminRoute[moduleCreateInput, moduleOutput](s, op("admin-module-create", http.MethodPost, adminModulesPath, "Add a module", "As a draft.", 201), s.adminCreateModule)
	adminRoute[ModulePath, moduleOutput](s, op("admin-module", http.MethodGet, adminModulePath, "One module", "With all its versions.", 200), s.adminShowModule)
	adminRoute[moduleEditInput, moduleOutput](s, op("admin-module-change", http.MethodPatch, adminModulePath, "Change a module",
		"What is left out stays. Purchases keep the price of their day.", 200), s.adminChangeModule)
	adminRoute[moduleSetInput, moduleOutput](s, op("admin-module-publish", http.MethodPost, adminModulePath+"/publish", "Put a module on sale",
		"It needs a published version.", 200), s.adminSetModule(s.deps.Modules.Publish))
	adminRoute[moduleSetInput, moduleOutput](s, op("admin-module-deprecate", http.MethodPost, adminModulePath+"/deprecate", "Take a module off sale",
		"Who owns it keeps it.", 200), s.adminSetModule(s.deps.Modules.Deprecate))
	adminRoute[versionInput, moduleOutput](s, op("admin-version-add", http.MethodPost, adminVersionsPath, "Add a version",
		"As a draft. JSON for a file that lies elsewhere; multipart/form-data with the parts version (this JSON without url, sha256 and size) and file for an upload of at most 32 MiB, whose digest is computed.", 201),
		s.adminAddVersion)
	adminRoute[versionPathInput, moduleOutput](s, op("admin-version-publish", http.MethodPost, adminVersionPath+"/publish", "Publish a version",
		"The highest published one is the latest.", 200), s.adminSetVersion(module.Published))
	adminRoute[versionPathInput, moduleOutput](s, op("admin-version-deprecate", http.MethodPost, adminVersionPath+"/deprecate", "Deprecate a version",
		"It is not the latest any more; it can still be installed by its number.", 200), s.adminSetVersion(module.Deprecated))
	adminRoute[adminPurchasesInput, purchasesOutput](s, op("admin-purchases", http.MethodGet, adminPurchasesPath, "Purchases of all licenses", "The newest first.", 200),
		s.adminListPurchases)
	adminRoute[PurchasePath, purchaseOutput](s, op("admin-purchase", http.MethodGet, adminPurchasePath, "One purchase of any license", "With its transactions.", 200),
		s.adminShowPurchase)
	adminRoute[refundInput, purchaseOutput](s, op("admin-purchase-refund", http.MethodPost, adminPurchasePath+"/refund", "Give a purchase back", "At any time.", 200),
		s.adminRefund)
}

// allowUploads gives room for a file to those who may upload one; all others' bodies stay small. It is asked before a body
// is read.
func (s *Server) allowUploads(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	path, _, _ := strings.Cut(string(header.RequestURI()), "?")
	if !header.IsPost() || !strings.HasPrefix(path, adminModulesPath+"/") || !strings.HasSuffix(path, "/versions") {
		return fasthttp.RequestConfig{}
	}
	token, found := strings.CutPrefix(string(header.Peek(fiber.HeaderAuthorization)), "Bearer ")
	if !found {
		return fasthttp.RequestConfig{}
	}
	identity, err := s.deps.Keys.Verify(strings.TrimSpace(token), s.deps.Now())
	if err != nil || !identity.PlatformAdmin {
		return fasthttp.RequestConfig{}
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: module.MaxFile + uploadRoom, ReadTimeout: uploadTime}
}

func (s *Server) sendAdminModule(c *fiber.Ctx, m *module.Module, err error, status int) error {
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderETag, `"`+m.Tag()+`"`)
	return sendJSON(c, status, m)
}

func (s *Server) adminListModules(c *fiber.Ctx, in *inputs) error {
	r := in.catalogueRequest()
	r.Status = choice(in, "status", "", module.Draft, module.Published, module.Deprecated)
	if err := in.err(); err != nil {
		return err
	}
	return s.sendModules(c, r, adminModulesPath, in)
}

func (s *Server) adminShowModule(c *fiber.Ctx, in *inputs) error {
	slug, err := slugOf(c)
	if err != nil {
		return err
	}
	if err := in.err(); err != nil {
		return err
	}
	m, err := s.deps.Modules.Find(c.UserContext(), uuid.Nil, slug)
	return s.sendAdminModule(c, m, err, http.StatusOK)
}

func (s *Server) adminCreateModule(c *fiber.Ctx, in *inputs) error {
	b, err := readBody(c, in, append(moduleFields(), "slug")...)
	if err != nil {
		return err
	}
	slug := b.text("slug", 64, false)
	if !module.ValidSlug(slug) {
		b.fault("slug", "must be small letters, digits and minus within, at most 64 of them, and no word of the API's own", clip(slug))
	}
	settings := b.moduleSettings(module.Settings{})
	if err := in.err(); err != nil {
		return err
	}
	m, err := s.deps.Modules.Create(c.UserContext(), auditBy(c), slug, settings)
	if err == nil {
		c.Set(fiber.HeaderLocation, adminModulesPath+"/"+slug)
	}
	return s.sendAdminModule(c, m, err, http.StatusCreated)
}

func (s *Server) adminChangeModule(c *fiber.Ctx, in *inputs) error {
	slug, err := slugOf(c)
	if err != nil {
		return err
	}
	b, err := readBody(c, in, moduleFields()...)
	if err != nil {
		return err
	}
	m, err := s.deps.Modules.Change(c.UserContext(), auditBy(c), slug, func(before *module.Module) (module.Settings, error) {
		if !fits(c.Get(fiber.HeaderIfMatch), before.Tag()) {
			return module.Settings{}, module.ErrChanged
		}
		trial := &body{in: &inputs{faults: slices.Clone(in.faults)}, fields: b.fields} // this may run again
		after := trial.moduleSettings(before.Settings)
		return after, trial.in.err()
	})
	return s.sendAdminModule(c, m, err, http.StatusOK)
}

func (s *Server) adminSetModule(set func(context.Context, module.By, string, func(*module.Module) error) (*module.Module, error)) func(*fiber.Ctx, *inputs) error {
	return func(c *fiber.Ctx, in *inputs) error {
		slug, err := slugOf(c)
		if err != nil {
			return err
		}
		if err := in.err(); err != nil {
			return err
		}
		m, err := set(c.UserContext(), auditBy(c), slug, func(before *module.Module) error {
			if !fits(c.Get(fiber.HeaderIfMatch), before.Tag()) {
				return module.ErrChanged
			}
			return nil
		})
		return s.sendAdminModule(c, m, err, http.StatusOK)
	}
}

func (s *Server) adminAddVersion(c *fiber.Ctx, in *inputs) error {
	slug, err := slugOf(c)
	if err != nil {
		return err
	}
	var v module.NewVersion
	if kind, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)); kind == fiber.MIMEMultipartForm {
		closeFile, err := uploadedVersion(c, in, &v)
		if err != nil {
			return err
		}
		defer closeFile()
	} else {
		b, err := readBody(c, in, "version", "file", "changelog", "dependencies", "url", "sha256", "size")
		if err != nil {
			return err
		}
		b.version(&v)
		b.farFile(&v)
	}
	if err := in.err(); err != nil {
		return err
	}
	m, err := s.deps.Modules.AddVersion(c.UserContext(), auditBy(c), slug, v)
	var missing *module.NeedError
	if errors.As(err, &missing) {
		return &query.Faults{Code: query.CodeInvalid, List: []query.Fault{{Location: "body.dependencies", Message: missing.Error(), Value: missing.Module}}}
	}
	if err == nil {
		c.Set(fiber.HeaderLocation, fmt.Sprintf("%s/%s", adminModulesPath, slug))
	}
	return s.sendAdminModule(c, m, err, http.StatusCreated)
}

func (s *Server) adminSetVersion(to module.Status) func(*fiber.Ctx, *inputs) error {
	return func(c *fiber.Ctx, in *inputs) error {
		slug, err := slugOf(c)
		if err != nil {
			return err
		}
		if err := in.err(); err != nil {
			return err
		}
		if !module.ValidVersion(c.Params("version")) {
			return errNotFound
		}
		m, err := s.deps.Modules.SetVersion(c.UserContext(), auditBy(c), slug, c.Params("version"), to)
		return s.sendAdminModule(c, m, err, http.StatusOK)
	}
}

func (s *Server) adminListPurchases(c *fiber.Ctx, in *inputs) error {
	r := in.purchaseList()
	r.Status = choice(in, "status", append([]purchase.Status{""}, purchase.Statuses()...)...)
	if text := in.one("license_id"); text != "" {
		var err error
		if r.License, err = uuid.Parse(text); err != nil {
			in.add(query.Fault{Location: "query.license_id", Message: "is not a UUID", Value: clip(text)})
		}
	}
	if err := in.err(); err != nil {
		return err
	}
	list, err := s.deps.Purchases.ListAny(c.UserContext(), r)
	return sendPurchases(c, list, err, r.Cursor, adminPurchasesPath, in)
}

func (s *Server) adminShowPurchase(c *fiber.Ctx, in *inputs) error {
	id, err := purchaseOf(c, in)
	if err != nil {
		return err
	}
	p, err := s.deps.Purchases.ShowAny(c.UserContext(), id)
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, p)
}

func (s *Server) adminRefund(c *fiber.Ctx, in *inputs) error {
	reason, err := refundReason(c, in)
	if err != nil {
		return err
	}
	id, err := purchaseOf(c, in)
	if err != nil {
		return err
	}
	p, err := s.deps.Purchases.RefundAny(c.UserContext(), id, reason, auditBy(c))
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, p)
}
