package api

import (
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"corrosion/api/installation"
	"corrosion/api/live"
)

// liveServer, liveSnapshot and liveServers are the data of events, for the OpenAPI document: the frames are written by
// api/live.
type liveServer struct {
	ServerID string         `json:"server_id"`
	State    live.State     `json:"state" enum:"online,silent"`
	LastSeen *time.Time     `json:"last_seen" doc:"ts of its newest sample; null when it was never heard"`
	Sample   map[string]any `json:"sample" nullable:"true" doc:"Its newest sample as in docs/payload.md: ts in epoch ms, unmeasured fields left out; null when it said nothing for longer than the stream looks back"`
}

type liveSnapshot struct {
	At      time.Time    `json:"at"`
	Totals  live.Totals  `json:"totals"`
	Servers []liveServer `json:"servers" doc:"Every selected server"`
}

type liveServers struct {
	At      time.Time    `json:"at"`
	Servers []liveServer `json:"servers" doc:"Those that changed"`
	Gone    []string     `json:"gone" doc:"Those that are to be forgotten"`
}

// describeLive puts the streams, which Fiber answers, into the document.
func (s *Server) describeLive() {
	const about = "Server-sent events, each with JSON as data: snapshot (everything; the first event, and again whenever changes are not enough), servers (those that " +
		"changed, and ids that are gone), totals (everything summed up), installation (what has become of an installation on one of the servers, within a second of " +
		"each change, whichever process made it: read /api/modules/installations once behind each snapshot, then follow; not for API keys without read:modules, " +
		"and not in the demo's stream), stale and fresh (nothing can arrive since then; it can again), end (the reason: token-expired, " +
		"session-ended, license-suspended, license-unknown, shutting-down). At most four times a second. Comments keep the stream alive every 12 s. Last-Event-ID " +
		"gives what was missed, or a snapshot. A listener that reads slowly gets fewer events with the latest state; one that takes nothing for 20 s is dropped."
	describe[liveInput](s, huma.Operation{
		OperationID: "live", Method: http.MethodGet, Path: livePath, Tags: []string{"Analytics"}, Security: private(),
		Summary: "Totals and newest samples as they come", Description: about, DefaultStatus: 200,
		Responses: map[string]*huma.Response{"200": s.liveResponse()},
	})
	describe[liveInput](s, huma.Operation{
		OperationID: "demo-live", Method: http.MethodGet, Path: demoLivePath, Tags: []string{"Demo"},
		Summary: "The demo network as it goes", Description: "404 where no demo network is served. " + about, DefaultStatus: 200,
		Responses: map[string]*huma.Response{"200": s.liveResponse()},
	})
	header := &huma.Param{Name: "Last-Event-ID", In: "header", Description: "The id of the last event that arrived.", Schema: &huma.Schema{Type: "string"}}
	for _, path := range []string{livePath, demoLivePath} {
		op := s.huma.OpenAPI().Paths[path].Get
		op.Parameters = append(op.Parameters, header)
	}
}

func (s *Server) liveResponse() *huma.Response {
	registry := s.huma.OpenAPI().Components.Schemas
	events := []*huma.Schema{}
	for _, event := range []struct {
		name string
		data reflect.Type
	}{
		{"snapshot", reflect.TypeFor[liveSnapshot]()}, {"servers", reflect.TypeFor[liveServers]()}, {"totals", reflect.TypeFor[live.Totals]()},
		{"installation", reflect.TypeFor[installation.Transition]()}, {"stale", reflect.TypeFor[live.Note]()}, {"fresh", reflect.TypeFor[live.Note]()}, {"end", reflect.TypeFor[live.Note]()},
	} {
		events = append(events, &huma.Schema{
			Type: "object", Title: "Event " + event.name, Required: []string{"event", "data"},
			Properties: map[string]*huma.Schema{
				"id":    {Type: "string", Description: "Send it back as Last-Event-ID"},
				"event": {Type: "string", Extensions: map[string]any{"const": event.name}},
				"data":  registry.Schema(event.data, true, event.name),
			},
		})
	}
	return &huma.Response{Description: "Events", Content: map[string]*huma.MediaType{eventStream: {
		Schema: &huma.Schema{Type: "array", Items: &huma.Schema{OneOf: events}},
	}}}
}
