package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/auth"
	"corrosion/api/query"
)

const metricNamesPath = "/api/analytics/metrics"

// metricNamesInput describes parameters for the OpenAPI document.
type metricNamesInput struct {
	Range    string   `query:"range" doc:"Length before now: n minutes, hours or days, or a bare number of hours. Default 24h." example:"7d"`
	From     string   `query:"from" doc:"Start, included: RFC 3339, or epoch in seconds (in ms above 10^11)."`
	To       string   `query:"to" doc:"End, excluded, written like from. Default now."`
	ServerID []string `query:"server_id,explode" doc:"Only these servers; repeatable. Default all."`
	Tag      []string `query:"tag,explode" doc:"Only servers with this tag, key:value; repeatable."`
	Group    []string `query:"group,explode" doc:"Only servers of this group; repeatable."`
}

type metricNamesOutput struct {
	Body *query.MetricNames
}

func (s *Server) registerMetricNames() {
	route[metricNamesInput, metricNamesOutput](s, huma.Operation{
		OperationID: "metric-names", Method: http.MethodGet, Path: metricNamesPath, Tags: []string{"Analytics"}, Summary: "What the servers measure",
		Description: "The fields and custom metrics of which there are samples in the range, which widens to whole UTC hours, with their units and how many servers measure them.",
	}, auth.Viewer, s.metricNames)
}

func (s *Server) metricNames(c *fiber.Ctx, who asker, in *inputs) error {
	r := query.MetricsRequest{Scope: query.Scope{License: who.license, Servers: in.servers()}, Range: in.timeRange()}
	selector := in.selector()
	if err := in.err(); err != nil {
		return err
	}
	var err error
	if r.Scope, err = s.narrow(c.UserContext(), r.Scope, selector); err != nil {
		return err
	}
	names, err := s.deps.Queries.MetricNames(c.UserContext(), r)
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, names)
}
