package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"corrosion/api/query"
)

const (
	timeseriesPath = "/api/analytics/timeseries"
	// mostPoints bounds max_points; the engine's own limits on what an answer holds are its Config's.
	mostPoints = 11_000
)

// TimeseriesInput are the parameters of a timeseries.
type TimeseriesInput struct {
	AnalyticsInput
	Metric    []string `query:"metric,explode" doc:"A measured field, or metrics.<name>; repeatable, at least one." example:"players"`
	Agg       string   `query:"agg" enum:"avg,min,max,sum,last,p05,p50,p95,p99,count" default:"avg" doc:"How the samples of a bucket become one value."`
	Step      string   `query:"step" doc:"Width of a bucket, a Go or Prometheus duration of at least 1s. Default: chosen for max_points." example:"5m"`
	MaxPoints string   `query:"max_points" doc:"How many points a series may have where no step is given: 1 to 11000, default 500."`
	GroupBy   string   `query:"group_by" pattern:"^(server|group|tag:[A-Za-z0-9_.-]{1,64})$" doc:"One series a server, a group (group) or a value of a tag (tag:key), with additive metrics as totals within it. A server of several groups counts in each; one without the tag, or in no group, is in none."`
	Fill      string   `query:"fill" enum:"null,previous,linear,none" default:"null" doc:"What stands in a bucket without data."`
}

type timeseriesOutput struct {
	CacheControl string `header:"Cache-Control"`
	Vary         string `header:"Vary"`
	Body         *query.Timeseries
}

func (s *Server) registerTimeseries() {
	register[TimeseriesInput](s, huma.Operation{
		OperationID: "timeseries", Method: http.MethodGet, Path: timeseriesPath, Tags: []string{"Analytics"}, Security: private(),
		Summary:     "Columns ready for a chart",
		Description: "A bucket without data is null, never 0; partial marks buckets cut by from, to or now. step and source echo what was used.",
	}, func(ctx context.Context, in *inputs) (*timeseriesOutput, error) {
		license, err := stateFrom(ctx).license()
		if err != nil {
			return nil, err
		}
		return s.timeseries(ctx, in, license, "private")
	})
}

func (s *Server) timeseries(ctx context.Context, in *inputs, license uuid.UUID, cache string) (*timeseriesOutput, error) {
	request := in.timeseriesRequest(license)
	selector := in.selector()
	if err := in.err(); err != nil {
		return nil, err
	}
	var err error
	if request.Scope, err = s.narrow(ctx, request.Scope, selector); err != nil {
		return nil, err
	}
	if request.Groups, err = s.groups(ctx, request); err != nil {
		return nil, err
	}
	body, err := s.deps.Queries.Timeseries(ctx, request)
	if err != nil {
		return nil, err
	}
	// A nil slice would be written as null.
	body.Timestamps, body.Partial = append([]int64{}, body.Timestamps...), append([]bool{}, body.Partial...)
	body.Series = append([]query.Series{}, body.Series...)
	return &timeseriesOutput{CacheControl: cacheControl(cache, request.Range, in.now), Vary: "Authorization", Body: body}, nil
}

func (in *inputs) timeseriesRequest(license uuid.UUID) query.TimeseriesRequest {
	request := query.TimeseriesRequest{
		Scope: query.Scope{License: license, Servers: in.servers()}, Range: in.timeRange(),
		TZ: in.zone(), MaxPoints: in.number("max_points", 1, mostPoints),
	}
	var faults []query.Fault
	request.Metrics, faults = query.ParseMetrics(in.values["metric"])
	in.add(faults...)
	var fault *query.Fault
	request.Agg, fault = query.ParseAgg(in.one("agg"))
	in.check(fault)
	request.Step, fault = query.ParseStep(in.one("step"))
	in.check(fault)
	request.GroupBy, fault = query.ParseGroupBy(in.one("group_by"))
	in.check(fault)
	request.Fill, fault = query.ParseFill(in.one("fill"))
	in.check(fault)
	return request
}
