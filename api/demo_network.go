package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/auth"
)

const demoPrefix = "/api/public/demo"

// registerDemoNetwork adds what the pages read of the demo license beside its figures: its servers, marks and metrics.
func (s *Server) registerDemoNetwork() {
	demoRoute[serversInput, serversOutput](s, "demo-servers", "/servers", "Servers of the demo network", s.listServers)
	demoRoute[serverPathInput, serverOutput](s, "demo-server", "/servers/{server_id}", "One server of the demo network", s.showServer)
	demoRoute[eventsInput, eventsOutput](s, "demo-events", "/events", "Marks of the demo network", s.listEvents)
	demoRoute[metricNamesInput, metricNamesOutput](s, "demo-metric-names", "/metrics", "What the demo network's servers measure", s.metricNames)
}

// demoRoute adds a route that reads the demo license without signing in, with the handler of the license's own route.
func demoRoute[I, O any](s *Server, id, path, summary string, handle func(*fiber.Ctx, asker, *inputs) error) {
	op := huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: demoPrefix + path, Tags: []string{"Demo"},
		Summary: summary, Description: "404 where no demo network is served.",
	}
	s.prepare(&op)
	huma.Register(s.documenter, op, func(context.Context, *I) (*O, error) { return nil, nil })
	s.learn(op)
	s.app.Get(fiberPath(op.Path), func(c *fiber.Ctx) error {
		if s.deps.Demo == nil {
			return errNotFound
		}
		return s.handleInputs(c, op, asker{*s.deps.Demo, auth.Viewer}, handle)
	})
}
