package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const (
	demoSummaryPath    = "/api/public/demo/summary"
	demoTimeseriesPath = "/api/public/demo/timeseries"
)

// registerDemo adds the routes that read the demo license without signing in. Its id comes from the settings alone.
func (s *Server) registerDemo() {
	register[AnalyticsInput](s, huma.Operation{
		OperationID: "demo-summary", Method: http.MethodGet, Path: demoSummaryPath, Tags: []string{"Demo"},
		Summary: "Figures of the demo network", Description: "404 where no demo network is served.",
	}, func(ctx context.Context, in *inputs) (*summaryOutput, error) {
		if s.deps.Demo == nil {
			return nil, errNotFound
		}
		return s.summary(ctx, in, *s.deps.Demo, "public")
	})
	register[TimeseriesInput](s, huma.Operation{
		OperationID: "demo-timeseries", Method: http.MethodGet, Path: demoTimeseriesPath, Tags: []string{"Demo"},
		Summary: "Columns of the demo network", Description: "404 where no demo network is served.",
	}, func(ctx context.Context, in *inputs) (*timeseriesOutput, error) {
		if s.deps.Demo == nil {
			return nil, errNotFound
		}
		return s.timeseries(ctx, in, *s.deps.Demo, "public")
	})
}
