package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/installation"
	"corrosion/schema"
	"corrosion/schema/command"
)

const (
	rolloutsPath = anyModulePath + "/rollouts"
	rolloutPath  = rolloutsPath + "/{id}"
)

type rolloutInput struct {
	Slug string `path:"slug" doc:"The module."`
	Body struct {
		Servers     []string      `json:"servers" minItems:"1" maxItems:"10000" doc:"In the order in which they get it."`
		Version     string        `json:"version,omitempty" doc:"Which version; left out = the latest."`
		BatchSize   int           `json:"batch_size,omitempty" minimum:"1" maximum:"1000" default:"10" doc:"How many servers get it at once."`
		PauseS      int           `json:"pause_s,omitempty" minimum:"0" maximum:"604800" default:"300" doc:"Seconds between the end of a batch and the next, while the guard watches."`
		MaxFailures int           `json:"max_failures,omitempty" minimum:"1" maximum:"10000" default:"1" doc:"Failures at which the rollout stops."`
		Guard       *rolloutGuard `json:"guard,omitempty" doc:"Takes everything back by itself where the servers that got it grow slow."`
	}
}

type rolloutGuard struct {
	Metric      string  `json:"metric" enum:"fps" doc:"The median of the frames per second."`
	DropPercent float64 `json:"drop_percent,omitempty" minimum:"1" maximum:"99" default:"20" doc:"How far it may fall against the time before on servers that got it, unless it falls as far on the others."`
	BaselineS   int     `json:"baseline_s,omitempty" minimum:"60" maximum:"86400" default:"3600" doc:"Seconds before the rollout that are compared with."`
	MinSamples  int     `json:"min_samples,omitempty" minimum:"1" maximum:"1000000" default:"30" doc:"Samples that must have come since before it can tell; without them the next batch waits."`
}

type rolloutsInput struct {
	Slug string `path:"slug" doc:"The module."`
}

type rolloutIDInput struct {
	Slug string `path:"slug" doc:"The module."`
	ID   string `path:"id" format:"uuid" doc:"The rollout."`
}

type rolloutOutput struct{ Body rolloutView }

type rolloutMade struct {
	Location string `header:"Location" doc:"The rollout"`
	Body     rolloutView
}

type rolloutsOutput struct{ Body rolloutList }

// rolloutView is a rollout as the API shows it.
type rolloutView struct {
	ID          uuid.UUID                  `json:"rollout_id"`
	Module      string                     `json:"module"`
	Version     string                     `json:"version"`
	Status      installation.RolloutStatus `json:"status" enum:"running,paused,done,stopped,cancelled,rolling-back,rolled-back"`
	Reason      *string                    `json:"reason"`
	BatchSize   int                        `json:"batch_size"`
	PauseS      int                        `json:"pause_s"`
	MaxFailures int                        `json:"max_failures"`
	Guard       *rolloutGuard              `json:"guard"`
	Batch       int                        `json:"batch" doc:"The batch that is out, from 0; -1 = none yet"`
	Actor       string                     `json:"actor"`
	Created     time.Time                  `json:"created_at"`
	Updated     time.Time                  `json:"updated_at"`
	Servers     []rolloutServer            `json:"servers,omitempty"`
}

type rolloutServer struct {
	ServerID string     `json:"server_id"`
	Batch    int        `json:"batch"`
	Status   *string    `json:"status" doc:"Of its installation; null = it was not asked for"`
	Error    *string    `json:"error"`
	ID       *uuid.UUID `json:"installation_id" format:"uuid" nullable:"true"`
	Undo     *uuid.UUID `json:"undo_id" format:"uuid" nullable:"true" doc:"The installation that takes it back"`
	UndoIs   *string    `json:"undo_status"`
}

type rolloutList struct {
	Rollouts []rolloutView `json:"rollouts"`
}

func (s *Server) registerRollouts() {
	tags := []string{"Rollouts"}
	route[rolloutInput, rolloutMade](s, huma.Operation{
		OperationID: "rollout-start", Method: http.MethodPost, Path: rolloutsPath, Tags: tags, Summary: "Install a module on many servers, batch by batch", DefaultStatus: 202,
		Description: "The next batch goes out when the one before is installed, the pause is over and the guard holds. For admins and owners.",
	}, auth.Admin, s.startRollout)
	route[rolloutsInput, rolloutsOutput](s, huma.Operation{
		OperationID: "rollouts", Method: http.MethodGet, Path: rolloutsPath, Tags: tags, Summary: "The license's rollouts of a module, the newest first",
	}, auth.Viewer, s.listRollouts)
	route[rolloutIDInput, rolloutOutput](s, huma.Operation{
		OperationID: "rollout", Method: http.MethodGet, Path: rolloutPath, Tags: tags, Summary: "One rollout with its servers",
	}, auth.Viewer, s.showRollout)
	for verb, about := range map[installation.Verb]string{
		installation.Pause:  "No further batch goes out until it is resumed. For admins and owners.",
		installation.Resume: "For admins and owners.",
		installation.Cancel: "No further batch goes out; what is installed stays. For admins and owners.",
		installation.Revert: "Every server gets its version before back, or nothing where there was none. For admins and owners.",
	} {
		route[rolloutIDInput, rolloutOutput](s, huma.Operation{
			OperationID: "rollout-" + string(verb), Method: http.MethodPost, Path: rolloutPath + "/" + string(verb), Tags: tags,
			Summary: "Steer a rollout: " + string(verb), Description: about, DefaultStatus: 202,
		}, auth.Admin, s.steerRollout(verb))
	}
}

func (s *Server) startRollout(c *fiber.Ctx, who asker, in *inputs) error {
	slug, err := pathModule(c)
	if err != nil {
		return err
	}
	b, err := readBody(c, in, "servers", "version", "batch_size", "pause_s", "max_failures", "guard")
	if err != nil {
		return err
	}
	ask := installation.RolloutAsk{
		License: who.license, Module: slug, Version: b.text("version", command.MaxVersion, false), By: by(c), Servers: b.serverIDs("servers"),
		BatchSize: b.whole("batch_size", 10, 1, installation.MaxBatch), MaxFailures: b.whole("max_failures", 1, 1, installation.MaxRolloutServers),
		Pause: time.Duration(b.whole("pause_s", 300, 0, int(installation.MaxPause/time.Second))) * time.Second, Guard: b.guard("guard"),
	}
	if err := in.err(); err != nil {
		return err
	}
	made, err := s.deps.Installations.StartRollout(c.UserContext(), ask)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, "/api/modules/"+slug+"/rollouts/"+made.ID.String())
	return sendJSON(c, http.StatusAccepted, viewRollout(made))
}

// whole is a whole number within bounds; absent and null are fallback.
func (b *body) whole(name string, fallback, least, most int) int {
	n := fallback
	if !b.decode(name, &n, "a whole number") {
		return fallback
	}
	if n < least || n > most {
		b.fault(name, fmt.Sprintf("must be from %d to %d", least, most), n)
	}
	return n
}

func (b *body) serverIDs(name string) []string {
	var servers []string
	if !b.decode(name, &servers, "an array of server ids") || len(servers) == 0 {
		b.fault(name, "must name at least one server", nil)
		return nil
	}
	if len(servers) > installation.MaxRolloutServers {
		b.fault(name, fmt.Sprintf("names %d servers; at most %d are allowed", len(servers), installation.MaxRolloutServers), len(servers))
		return nil
	}
	seen := map[string]bool{}
	for i, server := range servers {
		at := fmt.Sprintf("%s[%d]", name, i)
		if !schema.ValidServerID(server) {
			b.fault(at, "is not a server's id", clip(server))
		} else if seen[server] {
			b.fault(at, "is named twice", server)
		}
		seen[server] = true
	}
	return servers
}

func (b *body) guard(name string) *installation.Guard {
	sent := rolloutGuard{Metric: "fps", DropPercent: 20, BaselineS: 3600, MinSamples: 30}
	if !b.decode(name, &sent, "an object of numbers, and metric") {
		return nil
	}
	if sent.Metric != "fps" {
		b.fault(name+".metric", "must be fps", clip(sent.Metric))
	}
	if !(sent.DropPercent >= 1 && sent.DropPercent <= 99) {
		b.fault(name+".drop_percent", "must be from 1 to 99", nil)
	}
	if sent.BaselineS < 60 || sent.BaselineS > 86400 {
		b.fault(name+".baseline_s", "must be from 60 to 86400", sent.BaselineS)
	}
	if sent.MinSamples < 1 || sent.MinSamples > 1_000_000 {
		b.fault(name+".min_samples", "must be from 1 to 1000000", sent.MinSamples)
	}
	return &installation.Guard{DropPercent: sent.DropPercent, BaselineS: sent.BaselineS, MinSamples: sent.MinSamples}
}

func (s *Server) listRollouts(c *fiber.Ctx, who asker, in *inputs) error {
	slug, err := pathModule(c)
	if err != nil {
		return err
	}
	if err := in.err(); err != nil {
		return err
	}
	rollouts, err := s.deps.Installations.Rollouts(c.UserContext(), who.license, slug)
	if err != nil {
		return err
	}
	list := rolloutList{Rollouts: []rolloutView{}}
	for _, r := range rollouts {
		list.Rollouts = append(list.Rollouts, viewRollout(r))
	}
	return sendJSON(c, http.StatusOK, list)
}

// rolloutOf is the rollout that a path names.
func rolloutOf(c *fiber.Ctx, in *inputs) (slug string, id uuid.UUID, err error) {
	if slug, err = pathModule(c); err != nil {
		return "", uuid.Nil, err
	}
	if id, err = pathID(c, "id"); err != nil {
		return "", uuid.Nil, err
	}
	return slug, id, in.err()
}

func (s *Server) showRollout(c *fiber.Ctx, who asker, in *inputs) error {
	slug, id, err := rolloutOf(c, in)
	if err != nil {
		return err
	}
	found, err := s.deps.Installations.Rollout(c.UserContext(), who.license, slug, id)
	if err != nil {
		return err
	}
	return sendJSON(c, http.StatusOK, viewRollout(found))
}

func (s *Server) steerRollout(verb installation.Verb) func(*fiber.Ctx, asker, *inputs) error {
	return func(c *fiber.Ctx, who asker, in *inputs) error {
		slug, id, err := rolloutOf(c, in)
		if err != nil {
			return err
		}
		found, err := s.deps.Installations.Steer(c.UserContext(), who.license, slug, id, verb, by(c))
		if err != nil {
			return err
		}
		return sendJSON(c, http.StatusAccepted, viewRollout(found))
	}
}

func viewRollout(r installation.Rollout) rolloutView {
	v := rolloutView{
		ID: r.ID, Module: r.Module, Version: r.Version, Status: r.Status, Reason: some(r.Reason), BatchSize: r.BatchSize,
		PauseS: int(r.Pause / time.Second), MaxFailures: r.MaxFailures, Batch: r.Batch, Actor: r.Actor, Created: r.Created.UTC(), Updated: r.Updated.UTC(),
	}
	if r.Guard != nil {
		v.Guard = &rolloutGuard{"fps", r.Guard.DropPercent, r.Guard.BaselineS, r.Guard.MinSamples}
	}
	for _, one := range r.Servers {
		v.Servers = append(v.Servers, rolloutServer{one.Server, one.Batch, some(one.Status), some(one.Error), one.Installation, one.Undo, some(one.UndoStatus)})
	}
	return v
}
