package api

import (
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"corrosion/api/auth"
	"corrosion/api/installation"
	"corrosion/schema"
	"corrosion/schema/command"
)

const (
	agentsPath = "/api/agents"
	agentPath  = agentsPath + "/{server_id}"
)

type agentEnrolInput struct {
	Body struct {
		ServerID string `json:"server_id" doc:"The server that the agent runs beside."`
	}
}

type agentCredentialsOutput struct{ Body installation.Credentials }

type agentsInput struct{}

type agentsOutput struct{ Body agentList }

type agentNothing struct{}

// agentView is a companion agent as the API shows it.
type agentView struct {
	ServerID  string                `json:"server_id"`
	Enrolled  bool                  `json:"enrolled" doc:"Whether it has credentials"`
	State     installation.Presence `json:"state" enum:"online,silent,never"`
	Version   *string               `json:"version"`
	Platform  *string               `json:"platform" example:"linux/amd64"`
	Started   *time.Time            `json:"started_at"`
	Seen      *time.Time            `json:"last_seen"`
	SkewMS    int64                 `json:"clock_ahead_ms" doc:"How far its clock is ahead of ours, as far as one message tells"`
	Fault     *string               `json:"fault" doc:"What keeps it from working"`
	Installed []agentModule         `json:"installed"`
	Unknown   []string              `json:"unknown" doc:"Modules on its disk that were not installed through the platform, or not any more"`
}

type agentModule struct {
	Module    string            `json:"module"`
	Version   string            `json:"version"`
	File      string            `json:"file"`
	SHA256    *string           `json:"sha256" doc:"As it lies there; null = it is gone"`
	Condition command.Condition `json:"condition" enum:"ok,missing,altered"`
}

type agentList struct {
	Agents []agentView `json:"agents"`
}

func (s *Server) registerAgents() {
	tags := []string{"Agents"}
	route[agentsInput, agentsOutput](s, huma.Operation{
		OperationID: "agents", Method: http.MethodGet, Path: agentsPath, Tags: tags, Summary: "The companion agents of the license",
		Description: "Each with what lies in its plugin directory, by its last heartbeat.",
	}, auth.Viewer, s.listAgents)
	route[agentEnrolInput, agentCredentialsOutput](s, huma.Operation{
		OperationID: "agent-enrol", Method: http.MethodPost, Path: agentsPath, Tags: tags, Summary: "Enrol the agent of a server", DefaultStatus: 201,
		Description: "The answer is the agent's file of credentials, shown once. For admins and owners.",
	}, auth.Admin, s.enrolAgent)
	route[serverPathInput, agentNothing](s, huma.Operation{
		OperationID: "agent-revoke", Method: http.MethodDelete, Path: agentPath, Tags: tags, Summary: "Take an agent's credentials away", DefaultStatus: 204,
		Description: "Its connections end within seconds; what lies on its disk stays. For admins and owners.",
	}, auth.Admin, s.revokeAgent)
}

func (s *Server) listAgents(c *fiber.Ctx, who asker, in *inputs) error {
	if err := in.err(); err != nil {
		return err
	}
	agents, err := s.deps.Installations.Agents(c.UserContext(), who.license)
	if err != nil {
		return err
	}
	list := agentList{Agents: []agentView{}}
	for _, a := range agents {
		list.Agents = append(list.Agents, viewAgent(a))
	}
	return sendJSON(c, http.StatusOK, list)
}

func viewAgent(a installation.Agent) agentView {
	v := agentView{
		ServerID: a.Server, Enrolled: a.Enrolled, State: a.Presence, Version: some(a.Version), Started: utc(a.Started), Seen: utc(a.Seen),
		SkewMS: a.Skew.Milliseconds(), Fault: some(a.Fault), Installed: []agentModule{}, Unknown: a.Unknown,
	}
	if a.OS != "" {
		v.Platform = some(a.OS + "/" + a.Arch)
	}
	for _, m := range a.Installed {
		v.Installed = append(v.Installed, agentModule{m.Module, m.Version, m.File, some(m.SHA256), m.Condition})
	}
	return v
}

func (s *Server) enrolAgent(c *fiber.Ctx, who asker, in *inputs) error {
	b, err := readBody(c, in, "server_id")
	if err != nil {
		return err
	}
	server := b.text("server_id", schema.MaxServerIDLen, false)
	if !schema.ValidServerID(server) {
		b.fault("server_id", "is not a server's id: [A-Za-z0-9_-]{1,64}, none of reply, host, stats, events", clip(server))
	}
	if err := in.err(); err != nil {
		return err
	}
	made, err := s.deps.Installations.Enrol(c.UserContext(), who.license, server, by(c))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, agentsPath+"/"+server)
	return sendJSON(c, http.StatusCreated, made)
}

func (s *Server) revokeAgent(c *fiber.Ctx, who asker, in *inputs) error {
	server, err := serverOf(c)
	if err != nil {
		return err
	}
	if err := in.err(); err != nil {
		return err
	}
	if err := s.deps.Installations.Dismiss(c.UserContext(), who.license, server, by(c)); err != nil {
		return err
	}
	c.Status(fiber.StatusNoContent)
	return nil
}
