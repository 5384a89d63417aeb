package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"corrosion/api/query"
)

const retentionPath = "/api/analytics/retention"

type retentionOutput struct {
	CacheControl string `header:"Cache-Control"`
	Vary         string `header:"Vary"`
	Body         *query.Stored
}

func (s *Server) registerRetention() {
	register[struct{}](s, huma.Operation{
		OperationID: "retention", Method: http.MethodGet, Path: retentionPath, Tags: []string{"Analytics"}, Security: private(),
		Summary: "What is kept, and for how long",
		Description: "Limits are read back from ClickHouse. Rows and the oldest row are the license's own and counted; bytes are estimated: " +
			"the table's compressed bytes of all licenses, shared out by rows.",
	}, func(ctx context.Context, in *inputs) (*retentionOutput, error) {
		license, err := stateFrom(ctx).license()
		if err != nil {
			return nil, err
		}
		if err := in.err(); err != nil {
			return nil, err
		}
		body, err := s.deps.Queries.Stored(ctx, license)
		if err != nil {
			return nil, err
		}
		return &retentionOutput{CacheControl: "private, max-age=60", Vary: "Authorization", Body: body}, nil
	})
}
