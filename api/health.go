package api

import (
	"context"
	"net/http"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health is the answer of /livez and /readyz.
type Health struct {
	Status string   `json:"status" enum:"ok,ready"`
	Checks []string `json:"checks,omitempty" doc:"What was found in order"`
}

func (s *Server) livez(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(Health{Status: "ok"})
}

// readyz asks every dependency at once; one that is slow counts as away.
func (s *Server) readyz(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), s.cfg.ReadyTimeout)
	defer cancel()
	if s.draining.Load() {
		return &notReadyError{faults: []ProblemError{{Location: "process", Message: "is stopping"}}}
	}
	names, faults := checkReadiness(ctx, s.deps.Readiness)
	if len(faults) > 0 {
		return &notReadyError{faults: faults}
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(Health{Status: "ready", Checks: names})
}

func checkReadiness(ctx context.Context, checks []Readiness) (names []string, faults []ProblemError) {
	type result struct {
		name string
		err  error
	}
	results := make([]result, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { results[i].name, results[i].err = check(ctx) })
	}
	wg.Wait()
	for _, r := range results {
		if r.err != nil {
			faults = append(faults, ProblemError{Location: r.name, Message: r.err.Error()})
			continue
		}
		names = append(names, r.name)
	}
	return names, faults
}

func (s *Server) serveMetrics() fiber.Handler {
	return adaptor.HTTPHandler(promhttp.HandlerFor(s.deps.Gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true}))
}

// describeHealth puts the routes for operators into the document.
func (s *Server) describeHealth() {
	health := func(id, path, summary string) {
		schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Health](), true, "Health")
		describe[struct{}](s, huma.Operation{
			OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{"Operation"}, Summary: summary, DefaultStatus: 200,
			Responses: map[string]*huma.Response{"200": {
				Description: "In order", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
			}},
		})
	}
	health("livez", "/livez", "Is the process alive")
	health("readyz", "/readyz", "Can it do its work: 503 with the reasons where not")
	describe[struct{}](s, huma.Operation{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Tags: []string{"Operation"},
		Summary: "Prometheus metrics", DefaultStatus: 200,
		Responses: map[string]*huma.Response{"200": {
			Description: "Text format or OpenMetrics", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: "string"}}},
		}},
	})
}
