package api

import (
	"time"

	"github.com/google/uuid"

	"corrosion/api/installation"
)

// InstallationView is an installation as the API shows it.
type InstallationView struct {
	ID       uuid.UUID           `json:"installation_id"`
	Module   string              `json:"module"`
	Version  string              `json:"version"`
	ServerID string              `json:"server_id"`
	Status   installation.Status `json:"status" enum:"pending,dispatched,downloading,installing,installed,failed,cancelled,uninstalling,uninstalled"`
	Progress int                 `json:"progress" minimum:"0" maximum:"100"`
	Error    *string             `json:"error" doc:"Why it failed, or why it is tried again"`
	Code     *string             `json:"code" doc:"The kind of failure, for programs"`
	Attempt  int                 `json:"attempt" doc:"Counts the commands to the agent, from 1"`
	Drift    *string             `json:"drift" doc:"How the server's disk differs from what was installed, as the agent found it; null = it does not"`
	Since    *time.Time          `json:"drift_since"`
	Replaces *uuid.UUID          `json:"replaces" format:"uuid" nullable:"true" doc:"The installation of the version before"`
	Needs    []uuid.UUID         `json:"needs" doc:"Installations that must be installed first"`
	Rollout  *uuid.UUID          `json:"rollout_id" format:"uuid" nullable:"true"`
	Created  time.Time           `json:"created_at"`
	Updated  time.Time           `json:"updated_at"`
	Done     *time.Time          `json:"installed_at"`
	// Waits is when the platform gives up on what is under way.
	Waits *time.Time `json:"waits_until" doc:"When silence of the agent becomes failed; null = nothing is under way"`
}

type installationList struct {
	Installations []InstallationView `json:"installations"`
	Next          *string            `json:"next" doc:"The next page's cursor; null = this is the last"`
}

type installationDetails struct {
	InstallationView
	Agent   installation.Presence             `json:"agent" enum:"online,silent,never" doc:"Whether the server's agent is there; never = it was never heard of"`
	Times   map[installation.Status]time.Time `json:"times" doc:"When each status was come to, the last time where it was more than once"`
	History []installationChange              `json:"history" doc:"Every change, in order"`
}

type installationChange struct {
	At      time.Time            `json:"at"`
	Attempt int                  `json:"attempt"`
	From    *installation.Status `json:"from" doc:"null for the first"`
	To      installation.Status  `json:"to"`
	Reason  *string              `json:"reason"`
	Actor   string               `json:"actor" doc:"Who: an account or a script, agent, or platform"`
}

// some is nil for an empty text.
func some[T ~string](text T) *string {
	if text == "" {
		return nil
	}
	value := string(text)
	return &value
}

func viewInstallation(i installation.Installation) InstallationView {
	v := InstallationView{
		ID: i.ID, Module: i.Module, Version: i.Version, ServerID: i.Server, Status: i.Status, Progress: i.Progress,
		Error: some(i.Error), Code: some(i.Code), Attempt: i.Attempt, Drift: some(i.Drift), Since: utc(i.DriftSince), Replaces: i.Replaces,
		Needs: i.Needs, Rollout: i.Rollout, Created: i.Created.UTC(), Updated: i.Updated.UTC(), Done: utc(i.InstalledAt), Waits: utc(i.Deadline),
	}
	if v.Needs == nil {
		v.Needs = []uuid.UUID{}
	}
	return v
}

func viewDetails(i installation.Installation, history []installation.Change, presence installation.Presence) installationDetails {
	v := installationDetails{
		InstallationView: viewInstallation(i), Agent: presence, Times: map[installation.Status]time.Time{}, History: []installationChange{},
	}
	for _, c := range history {
		v.Times[c.To] = c.At.UTC()
		change := installationChange{At: c.At.UTC(), Attempt: c.Attempt, To: c.To, Reason: some(c.Reason), Actor: c.Actor}
		if c.From != "" {
			change.From = &c.From
		}
		v.History = append(v.History, change)
	}
	return v
}
