package api

import (
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/platform"
	"corrosion/api/query"
)

type adminIngestInput struct {
	Minutes string `query:"minutes" doc:"How long to look back: 1 to 10080 minutes, default 60."`
}

type adminIngestOutput struct{ Body *platform.IngestHealth }

// The bounds of how long an answer looks back.
const (
	defaultIngestMinutes = 60
	mostIngestMinutes    = 7 * 24 * 60
)

func (s *Server) registerAdminIngest() {
	adminRoute[adminIngestInput, adminIngestOutput](s, huma.Operation{
		OperationID: "admin-ingest", Method: http.MethodGet, Path: adminPrefix + "/ingest", Summary: "How publishing goes for all licenses",
		Description: "What waits in JetStream, and by license the rates, the lag and the refusals by reason; at most 1,000 licenses, the busiest first. " +
			"Counts are some ten seconds old.",
	}, s.adminIngest)
}

func (s *Server) adminIngest(c *fiber.Ctx, in *inputs) error {
	minutes := in.number("minutes", 1, mostIngestMinutes)
	if minutes == 0 {
		minutes = defaultIngestMinutes
	}
	if err := in.err(); err != nil {
		return err
	}
	var js jetstream.JetStream
	if s.deps.DeadLetters != nil {
		js = s.deps.DeadLetters.JetStream()
	}
	health, err := s.deps.Platform.Ingest(c.UserContext(), js, time.Duration(minutes)*time.Minute)
	if err != nil {
		return query.Classify(c.UserContext(), err)
	}
	return sendJSON(c, http.StatusOK, health)
}
