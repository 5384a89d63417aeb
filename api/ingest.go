package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"corrosion/api/query"
)

const ingestPath = "/api/analytics/ingest"

// IngestInput are the parameters of the ingest log.
type IngestInput struct {
	Range string `query:"range" doc:"Length before now: n minutes, hours or days, or a bare number of hours. Default 24h." example:"24h"`
	From  string `query:"from" doc:"Start, included: RFC 3339, or epoch in seconds (in ms above 10^11)." example:"2026-11-22T00:00:00Z"`
	To    string `query:"to" doc:"End, excluded, written like from. Default now." example:"2026-11-23T00:00:00Z"`
}

// IngestBody is the log and what the license may publish.
type IngestBody struct {
	query.IngestLog
	Quotas IngestQuotas `json:"quotas" doc:"What the license may publish; null is without bound"`
}

// IngestQuotas are the license's quotas; nil is without bound.
type IngestQuotas struct {
	SamplesPerSecond *int64 `json:"samples_per_second" doc:"A minute's worth may be saved up and sent at once"`
	BytesPerSecond   *int64 `json:"bytes_per_second" doc:"Payload after decompression; a minute's worth may be saved up"`
	Servers          *int64 `json:"servers" doc:"Different server_id values within an hour"`
	MetricNames      *int64 `json:"metric_names" doc:"Different names of custom metrics within an hour"`
}

type ingestOutput struct {
	CacheControl string `header:"Cache-Control"`
	Vary         string `header:"Vary"`
	Body         *IngestBody
}

func (s *Server) registerIngest() {
	register[IngestInput](s, huma.Operation{
		OperationID: "ingest", Method: http.MethodGet, Path: ingestPath, Tags: []string{"Analytics"}, Security: private(),
		Summary: "What became of published samples",
		Description: "How many were stored, sent twice, bad, or beyond a quota, by the minute in which they arrived, with the quotas. " +
			"The counts are some ten seconds old and approximate after a failure; what is stored is not.",
	}, s.ingestLog)
}

func (s *Server) ingestLog(ctx context.Context, in *inputs) (*ingestOutput, error) {
	license, err := stateFrom(ctx).license()
	if err != nil {
		return nil, err
	}
	request := query.IngestRequest{License: license, Range: in.timeRange()}
	if err := in.err(); err != nil {
		return nil, err
	}
	quotas, err := s.deps.Quotas.Quotas(ctx, license)
	if err != nil {
		return nil, err
	}
	log, err := s.deps.Queries.IngestLog(ctx, request)
	if err != nil {
		return nil, err
	}
	body := &IngestBody{IngestLog: *log, Quotas: IngestQuotas{
		SamplesPerSecond: bound(quotas.SamplesPerSecond), BytesPerSecond: bound(quotas.BytesPerSecond),
		Servers: bound(quotas.Servers), MetricNames: bound(quotas.MetricNames),
	}}
	return &ingestOutput{CacheControl: cacheControl("private", request.Range, in.now), Vary: "Authorization", Body: body}, nil
}

func bound(quota int64) *int64 {
	if quota == 0 {
		return nil
	}
	return &quota
}
