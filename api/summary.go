package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"corrosion/api/query"
)

const summaryPath = "/api/analytics/summary"

type summaryOutput struct {
	CacheControl string `header:"Cache-Control"`
	Vary         string `header:"Vary"`
	Body         *query.Summary
}

func (s *Server) registerSummary() {
	register[AnalyticsInput](s, huma.Operation{
		OperationID: "summary", Method: http.MethodGet, Path: summaryPath, Tags: []string{"Analytics"}, Security: private(),
		Summary:     "Figures of one range",
		Description: "Players are summed over servers by the minute; frame rate, memory and the like are over all samples. What was not measured is null.",
	}, func(ctx context.Context, in *inputs) (*summaryOutput, error) {
		license, err := stateFrom(ctx).license()
		if err != nil {
			return nil, err
		}
		return s.summary(ctx, in, license, "private")
	})
}

func (s *Server) summary(ctx context.Context, in *inputs, license uuid.UUID, cache string) (*summaryOutput, error) {
	request := query.SummaryRequest{
		Scope: query.Scope{License: license, Servers: in.servers()}, Range: in.timeRange(),
	}
	selector := in.selector()
	in.zone()
	if err := in.err(); err != nil {
		return nil, err
	}
	var err error
	if request.Scope, err = s.narrow(ctx, request.Scope, selector); err != nil {
		return nil, err
	}
	if request.Book, err = s.deps.Registry.Book(ctx, license); err != nil {
		return nil, err
	}
	body, err := s.deps.Queries.Summary(ctx, request)
	if err != nil {
		return nil, err
	}
	return &summaryOutput{CacheControl: cacheControl(cache, request.Range, in.now), Vary: "Authorization", Body: body}, nil
}

// cacheControl lets an answer about the past live a minute: late samples may still change it; one that reaches now
// lives as long as the usual interval between samples.
func cacheControl(scope string, r query.Range, now time.Time) string {
	if now.Sub(r.To) > time.Hour {
		return scope + ", max-age=60"
	}
	return scope + ", max-age=5"
}
