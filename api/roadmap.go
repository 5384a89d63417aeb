package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"corrosion/api/earlyaccess"
)

// RoadmapBody is what is planned, being built and shipped, and when what happens.
type RoadmapBody struct {
	Items    []RoadmapItem      `json:"items"`
	Timeline []RoadmapMilestone `json:"timeline"`
}

// RoadmapItem is one thing that people may vote for.
type RoadmapItem struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	State       string `json:"state" enum:"planned,building,shipped"`
	Votes       int64  `json:"votes"`
}

// RoadmapMilestone is one point of the launch timeline.
type RoadmapMilestone struct {
	ID          string    `json:"id"`
	At          time.Time `json:"at" doc:"The launch has its moment, all others midnight UTC of their day"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Reached     bool      `json:"reached" doc:"Whether its time has come"`
	Launch      bool      `json:"launch" doc:"Whether it is the launch itself"`
}

// VoteBody says who votes.
type VoteBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	VisitorFields
}

// CountedBody is what came of a vote.
type CountedBody struct {
	ID     string `json:"id"`
	Status string `json:"status" enum:"voted,removed,confirm" doc:"confirm: a mail is on its way, and the link in it makes it count"`
	Votes  int64  `json:"votes" doc:"Of the item, by now"`
}

type countedOutput struct {
	Status int
	Body   CountedBody
}

type voteInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The item."`
	Body VoteBody
}

func (s *Server) registerRoadmap() {
	registerEarly(s, huma.Operation{
		OperationID: "roadmap", Method: http.MethodGet, Path: roadmapPath, Summary: "The roadmap and the launch timeline",
	}, func(ctx context.Context, _ *requestState, _ *struct{}) (*fresh[RoadmapBody], error) {
		roadmap, err := s.deps.EarlyAccess.Roadmap(ctx)
		return freshOf(s.roadmapBody(roadmap)), err
	})
	registerEarly(s, huma.Operation{
		OperationID: "voteRoadmap", Method: http.MethodPut, Path: roadmapPath + "/{id}/vote", Summary: "Vote for an item",
		Description: "One vote a person and item: again changes nothing. Where this server sends mail the answer is 202, and the vote counts once the link in it has been opened.",
		Responses:   map[string]*huma.Response{"202": {Description: "A mail is on its way"}},
	}, func(ctx context.Context, st *requestState, in *voteInput) (*countedOutput, error) {
		return s.vote(ctx, st, in, false)
	})
	registerEarly(s, huma.Operation{
		OperationID: "unvoteRoadmap", Method: http.MethodDelete, Path: roadmapPath + "/{id}/vote", DefaultStatus: http.StatusOK, Summary: "Take a vote back",
		Description: "Where there is none it changes nothing. Confirmed like a vote.",
		Responses:   map[string]*huma.Response{"202": {Description: "A mail is on its way"}},
	}, func(ctx context.Context, st *requestState, in *voteInput) (*countedOutput, error) {
		return s.vote(ctx, st, in, true)
	})
}

func (s *Server) roadmapBody(roadmap earlyaccess.Roadmap) RoadmapBody {
	body := RoadmapBody{Items: make([]RoadmapItem, len(roadmap.Items)), Timeline: make([]RoadmapMilestone, len(roadmap.Timeline))}
	for i, item := range roadmap.Items {
		body.Items[i] = RoadmapItem(item)
	}
	for i, m := range roadmap.Timeline {
		body.Timeline[i] = RoadmapMilestone{
			ID: m.ID, At: m.At.UTC(), Title: m.Title, Description: m.Description, Reached: !m.At.After(s.deps.Now()), Launch: m.Launch,
		}
	}
	return body
}

func (s *Server) vote(ctx context.Context, st *requestState, in *voteInput, withdraw bool) (*countedOutput, error) {
	from, err := in.Body.asker(s, st)
	if err != nil {
		return nil, err
	}
	count, err := s.deps.EarlyAccess.Vote(ctx, earlyaccess.Ballot{Item: in.ID, Email: in.Body.address(), Asker: from, Withdraw: withdraw})
	if err != nil {
		return nil, workFault(err)
	}
	out := &countedOutput{Status: http.StatusOK, Body: CountedBody{ID: in.ID, Status: "voted", Votes: count.Votes}}
	switch {
	case count.Confirm:
		out.Status, out.Body.Status = http.StatusAccepted, "confirm"
	case withdraw:
		out.Body.Status = "removed"
	}
	return out, nil
}
