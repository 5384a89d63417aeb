package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/exportjob"
	"corrosion/api/module"
	"corrosion/api/payment"
	"corrosion/api/purchase"
	"corrosion/api/query"
)

const (
	modulesPath    = "/api/modules"
	modulePath     = modulesPath + "/{slug}"
	moduleFilePath = modulePath + "/versions/{version}/file"
	linkedFilePath = module.LinkPath + "/{capability}"
	// defaultModules and mostModules bound the modules of one page.
	defaultModules = 50
	mostModules    = 200
)

// Purchases sells modules; *purchase.Service does.
type Purchases interface {
	Buy(context.Context, purchase.Request) (purchase.Purchase, error)
	Capture(ctx context.Context, license, id uuid.UUID, by audit.Event) (purchase.Purchase, error)
	Cancel(ctx context.Context, license, id uuid.UUID, by audit.Event) error
	Refund(ctx context.Context, license, id uuid.UUID, reason string, by audit.Event) (purchase.Purchase, error)
	RefundAny(ctx context.Context, id uuid.UUID, reason string, by audit.Event) (purchase.Purchase, error)
	List(context.Context, purchase.ListRequest) (*purchase.History, error)
	ListAny(context.Context, purchase.ListRequest) (*purchase.History, error)
	Show(ctx context.Context, license, id uuid.UUID) (purchase.Purchase, error)
	ShowAny(ctx context.Context, id uuid.UUID) (purchase.Purchase, error)
	Receipt(ctx context.Context, license, id uuid.UUID) (*purchase.Receipt, error)
	Heard(ctx context.Context, header payment.Headers, body []byte) error
}

// The structs here describe parameters and bodies for the OpenAPI document.

type modulesInput struct {
	Search    string `query:"search" maxLength:"100" doc:"Only modules with this in their slug, name, publisher, description or features, whatever the case."`
	Category  string `query:"category" doc:"Only modules of this category."`
	Game      string `query:"game" doc:"Only modules that say they work with this game." example:"rust"`
	Owned     string `query:"owned" enum:"true,false" doc:"Only what the license owns, or does not."`
	Installed string `query:"installed" enum:"true,false" doc:"Only what is on one of the license's servers, or on none."`
	Sort      string `query:"sort" default:"name" doc:"name, price, published_at or updated_at; with a minus before it from the highest down." example:"-price"`
	Limit     string `query:"limit" doc:"How many modules a page has: 1 to 200, default 50."`
	Cursor    string `query:"cursor" doc:"Where the page begins: next of the page before, or its header Link."`
}

type modulesOutput struct {
	Link string `header:"Link" doc:"The next page, rel=next"`
	Body *module.CataloguePage
}

// ModulePath names a module.
type ModulePath struct {
	Slug string `path:"slug" doc:"The module."`
}

type moduleOutput struct {
	ETag string `header:"ETag" doc:"For If-None-Match, and for administrators' If-Match"`
	Body *module.Module
}

type moduleFileInput struct {
	ModulePath
	Version string `path:"version" doc:"The version's number."`
	FileHeaders
}

type linkedFileInput struct {
	Capability string `path:"capability" doc:"What the platform has made: it stands for one file, for a time."`
	FileHeaders
}

// FileHeaders choose what is sent of a file.
type FileHeaders struct {
	Range   string `header:"Range" doc:"One range of bytes." example:"bytes=1048576-"`
	IfRange string `header:"If-Range" doc:"The ETag that the range is of: another file is sent whole."`
}

// registerModules is the table of what there is of modules.
func (s *Server) registerModules() {
	s.app.Use(modulesPath, s.etag)
	s.registerPurchases()
	tags := []string{"Modules"}
	route[modulesInput, modulesOutput](s, huma.Operation{
		OperationID: "modules", Method: http.MethodGet, Path: modulesPath, Tags: tags, Summary: "The catalogue",
		Description: "What is on sale, and what the license owns of what is not any more.",
	}, auth.Viewer, s.listModules)
	route[ModulePath, moduleOutput](s, huma.Operation{
		OperationID: "module", Method: http.MethodGet, Path: modulePath, Tags: tags, Summary: "One module, with its versions",
	}, auth.Viewer, s.showModule)
	route[moduleFileInput, struct{}](s, fileOperation(huma.Operation{
		OperationID: "module-file", Method: http.MethodGet, Path: moduleFilePath, Tags: tags, Summary: "The plugin file of a version",
		Description: "For admins and owners of a license that owns the module. A file that lies elsewhere is answered with 303.",
	}, s.problemResponse), auth.Admin, s.moduleFile)
	describe[linkedFileInput](s, fileOperation(huma.Operation{
		OperationID: "linked-module-file", Method: http.MethodGet, Path: linkedFilePath, Tags: tags, Summary: "The plugin file of a version, by a link",
		Description: "Links are given to companion agents. One stands for one file, for a limited time, and for no license.",
	}, s.problemResponse))
	s.app.Get(module.LinkPath+"/:capability", s.linkedFile)
	if s.deps.Accounts != nil {
		s.registerAdminModules()
	}
}

// fileOperation describes an answer that is a file.
func fileOperation(op huma.Operation, problem func(string) *huma.Response) huma.Operation {
	content := map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}
	op.Responses = map[string]*huma.Response{
		"200": {Description: "The file; its ETag is its SHA-256", Content: content}, "206": {Description: "A part of it", Content: content},
		"416": problem("The range is not within the file"),
	}
	return op
}

// flag is a parameter that narrows a list to what is so or is not so; nil = both.
func (in *inputs) flag(name string) *bool {
	switch choice(in, name, "", "true", "false") {
	case "true", "false":
		is := in.one(name) == "true"
		return &is
	}
	return nil
}

// word is a parameter that names a category or a game.
func (in *inputs) word(name string) string {
	text := in.one(name)
	if text != "" && !module.ValidWord(text) {
		in.add(query.Fault{Location: "query." + name, Message: "must be small letters, digits and minus, at most 32 of them", Value: clip(text)})
	}
	return text
}

// catalogueRequest reads what narrows and sorts the catalogue.
func (in *inputs) catalogueRequest() module.ListRequest {
	r := module.ListRequest{
		Search: in.one("search"), Category: in.word("category"), Game: in.word("game"), Sort: choice(in, "sort", moduleSorts()...),
		Limit: in.number("limit", 1, mostModules), Cursor: in.one("cursor"),
	}
	if len(r.Search) > 100 {
		in.add(query.Fault{Location: "query.search", Message: "has more than 100 bytes", Value: clip(r.Search)})
	}
	if r.Limit == 0 {
		r.Limit = defaultModules
	}
	return r
}

// moduleSorts are the ways to sort, the default first.
func moduleSorts() (choices []string) {
	for _, key := range module.SortKeys() {
		choices = append(choices, key, "-"+key)
	}
	return choices
}

func (s *Server) listModules(c *fiber.Ctx, who asker, in *inputs) error {
	r := in.catalogueRequest()
	r.License, r.Owned, r.Installed = who.license, in.flag("owned"), in.flag("installed")
	if err := in.err(); err != nil {
		return err
	}
	return s.sendModules(c, r, modulesPath, in)
}

func (s *Server) sendModules(c *fiber.Ctx, r module.ListRequest, path string, in *inputs) error {
	list, err := s.deps.Modules.List(c.UserContext(), r)
	if errors.Is(err, module.ErrCursor) {
		return badCursor(r.Cursor)
	}
	if err != nil {
		return err
	}
	if list.Next != nil {
		linkNext(c, path, in.values, *list.Next)
	}
	return sendJSON(c, http.StatusOK, list)
}

// slugOf is the module that a path names; what cannot be one does not exist.
func slugOf(c *fiber.Ctx) (string, error) {
	slug := c.Params("slug")
	if !module.ValidSlug(slug) {
		return "", errNotFound
	}
	return slug, nil
}

func (s *Server) showModule(c *fiber.Ctx, who asker, in *inputs) error {
	if module.Reserved(c.Params("slug")) {
		return c.Next() // another route's
	}
	slug, err := slugOf(c)
	if err != nil {
		return err
	}
	if err := in.err(); err != nil {
		return err
	}
	m, err := s.deps.Modules.Find(c.UserContext(), who.license, slug)
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, m)
}

func (s *Server) moduleFile(c *fiber.Ctx, who asker, in *inputs) error {
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
	if _, err := s.deps.Modules.Find(c.UserContext(), who.license, slug); err != nil {
		return err
	}
	owned, err := s.deps.Modules.Owned(c.UserContext(), who.license, slug)
	if err != nil {
		return err
	}
	if !owned {
		return errNotOwned
	}
	v, err := s.deps.Modules.Version(c.UserContext(), slug, c.Params("version"))
	if err != nil {
		return err
	}
	if v.SourceURL != nil {
		c.Set(fiber.HeaderCacheControl, "private, no-cache")
		return c.Redirect(*v.SourceURL, http.StatusSeeOther)
	}
	return s.sendModuleFile(c, v)
}

// linkedFile sends the file that a link stands for. Whoever has the link may read it.
func (s *Server) linkedFile(c *fiber.Ctx) error {
	if err := newInputs(stateOf(c).values, nil, s.deps.Now(), noRetention()).err(); err != nil {
		return err
	}
	slug, number, err := s.deps.Modules.OpenLink(c.Params("capability"))
	if err != nil {
		return err
	}
	v, err := s.deps.Modules.Version(c.UserContext(), slug, number)
	if err != nil {
		return err
	}
	if v.SourceURL != nil { // links are made for stored files alone
		return module.ErrLink
	}
	return s.sendModuleFile(c, v)
}

func (s *Server) sendModuleFile(c *fiber.Ctx, v module.Version) error {
	file, err := s.deps.Modules.OpenFile(v)
	if err != nil {
		return err
	}
	tag := setFileHeaders(c, exportjob.File{Name: v.File, Bytes: v.Size, SHA256: v.SHA256})
	if matches(c.Get(fiber.HeaderIfNoneMatch), tag) {
		c.Status(fiber.StatusNotModified)
		return file.Close()
	}
	part, err := chooseRange(c, tag, v.Size)
	if err != nil {
		c.Set(fiber.HeaderContentRange, "bytes */"+strconv.FormatInt(v.Size, 10))
		_ = file.Close()
		return err
	}
	if part.partial {
		c.Status(fiber.StatusPartialContent)
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", part.from, part.from+part.size-1, v.Size))
	}
	s.sendFile(c, file, part)
	return nil
}
