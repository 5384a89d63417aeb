package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
)

const (
	openAPIPath = "/api/openapi"
	docsPath    = "/api/docs"
	bearer      = "bearer"
	apiKey      = "apiKey"
)

// openAPI starts the document.
func (s *Server) openAPI() {
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Corrosion Stats", Version: s.cfg.Version,
				Description: "Statistics of networks of game servers. Times are RFC 3339 in UTC. Errors are application/problem+json " +
					"(RFC 9457) and list every fault of a request. Every answer carries RateLimit and RateLimit-Policy.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					bearer: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "POST /api/auth/login gives one to a person; corrosion token --license ID prints one for scripts."},
					apiKey: {Type: "http", Scheme: "bearer", BearerFormat: "ck_…", Description: "A license's API key, made by POST /api/license/keys, in the same header. " +
						"It needs the scope that the operation names; operations that name none are for people."},
				},
			},
			Tags: []*huma.Tag{
				{Name: "Accounts", Description: "People: signing in, sessions, passwords, second factors."},
				{Name: "Licenses", Description: "Licenses, their members, invitations, API keys and NATS users. The license acted upon is always the token's."},
				{Name: "Analytics", Description: "What a license's servers measured."},
				{Name: "Servers", Description: "Which servers there are, and what people say about them."},
				{Name: "Events", Description: "Marks on charts."},
				{Name: "Modules", Description: "Add-ons of game servers: the catalogue and what a license buys."},
				{Name: "Installations", Description: "Modules on servers, brought there by the servers' agents."},
				{Name: "Rollouts", Description: "A module on many servers, batch by batch, watched by a guard."},
				{Name: "Agents", Description: "The companion agents of game servers."},
				{Name: "Demo", Description: "The demo network, without signing in."},
				{Name: "Platform", Description: "For administrators of the platform."},
				{Name: "Early access", Description: "The list, the founding program and the roadmap, before the launch."},
				{Name: "Operation", Description: "For those who run the program."},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, problemType: huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{problemOfHuma},
	}
	config.AllowAdditionalPropertiesByDefault = true
	s.huma = humafiber.New(s.app, config)
	s.documenter = huma.NewAPI(config, noRoutes{})
}

// register adds a JSON route. Huma describes it and writes its answer; the query is read by handle, which must end
// with in.err() before it answers.
func register[I, O any](s *Server, op huma.Operation, handle func(context.Context, *inputs) (*O, error)) {
	s.prepare(&op)
	huma.Register(s.huma, op, func(ctx context.Context, _ *I) (*O, error) {
		st := stateFrom(ctx)
		out, err := serve(ctx, s, op.Path, handle)
		if err != nil {
			st.err = err
			return nil, newProblem(err, st.id)
		}
		return out, nil
	})
	s.learn(op)
}

func serve[O any](ctx context.Context, s *Server, path string, handle func(context.Context, *inputs) (*O, error)) (*O, error) {
	retention, err := s.deps.Queries.Retention(ctx)
	if err != nil {
		return nil, err
	}
	return handle(ctx, newInputs(stateFrom(ctx).values, s.known[path], s.deps.Now(), retention))
}

// describe adds a route that huma does not answer to the document.
func describe[I any](s *Server, op huma.Operation) { describeAnswer[I, struct{}](s, op) }

// describeAnswer does it for a route with an answer like O.
func describeAnswer[I, O any](s *Server, op huma.Operation) {
	s.prepare(&op)
	huma.Register(s.documenter, op, func(context.Context, *I) (*O, error) { return nil, nil })
	s.learn(op)
}

// noRoutes is an adapter that serves nothing.
type noRoutes struct{}

func (noRoutes) Handle(*huma.Operation, func(huma.Context))   {}
func (noRoutes) ServeHTTP(http.ResponseWriter, *http.Request) {}

// prepare adds what all operations share: how they fail, and that inputs reads the query instead of huma.
func (s *Server) prepare(op *huma.Operation) {
	op.SkipValidateParams = true
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	statuses := []int{http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	if op.Security != nil {
		if scope := neededScope(op.Method, op.Path); scope != "" {
			op.Security = append(op.Security, map[string][]string{apiKey: {string(scope)}})
		}
		statuses = append(statuses, http.StatusUnauthorized, http.StatusForbidden)
	}
	for _, status := range statuses {
		op.Responses[strconv.Itoa(status)] = s.problemResponse(http.StatusText(status))
	}
	op.Responses["default"] = s.problemResponse("Any other problem")
}

func (s *Server) problemResponse(description string) *huma.Response {
	schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	return &huma.Response{
		Description: description, Content: map[string]*huma.MediaType{problemType: {Schema: schema}},
	}
}

// learn notes the names of the query parameters of an operation.
func (s *Server) learn(op huma.Operation) {
	names := map[string]bool{}
	for _, described := range operationsOf(s.huma.OpenAPI().Paths[op.Path]) {
		if described.Method != op.Method {
			continue
		}
		for _, p := range described.Parameters {
			if p.In == "query" {
				names[p.Name] = true
			}
		}
	}
	s.known[knownKey(op.Method, op.Path)] = names
}

// knownKey is where an operation's parameters are known: by its path alone where it reads.
func knownKey(method, path string) string {
	if method == http.MethodGet {
		return path
	}
	return method + " " + path
}

// operationsOf are the operations of a path that there are.
func operationsOf(item *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete},
		func(op *huma.Operation) bool { return op == nil })
}

// private is the security of routes that need a token.
func private() []map[string][]string { return []map[string][]string{{bearer: {}}} }

// publish writes the document and the reference once all routes are there.
func (s *Server) publish() error {
	finish(s.huma.OpenAPI())
	var err error
	if s.document, err = json.Marshal(s.huma.OpenAPI()); err != nil {
		return errors.Join(errors.New("write OpenAPI document"), err)
	}
	s.docs, err = renderDocs(s.huma.OpenAPI())
	return err
}

func (s *Server) serveDocument(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, "application/openapi+json")
	c.Set(fiber.HeaderCacheControl, "no-cache")
	c.Set("Access-Control-Allow-Origin", "*")
	return c.Send(s.document)
}
