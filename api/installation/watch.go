package installation

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"corrosion/api/store"
	"corrosion/schema/command"
)

// changes is the channel on which Postgres tells of every change of an installation, whichever process made it.
const changes = "corrosion_installations"

// Transition is what has become of an installation, as live streams tell it.
type Transition struct {
	ID       uuid.UUID     `json:"installation_id"`
	Server   string        `json:"server_id"`
	Module   string        `json:"module"`
	Version  string        `json:"version"`
	Status   Status        `json:"status" enum:"pending,dispatched,downloading,installing,installed,failed,cancelled,uninstalling,uninstalled"`
	Progress int           `json:"progress" minimum:"0" maximum:"100"`
	Error    *string       `json:"error" doc:"Why it failed, or why it is tried again; at most 300 characters here"`
	Code     *command.Code `json:"code" doc:"The kind of failure, for programs"`
	Attempt  int           `json:"attempt" doc:"Counts the commands to the agent, from 1"`
	At       time.Time     `json:"at"`
}

// watch tells of transitions until the manager is closed.
func (m *Manager) watch() {
	m.store.Listen(m.ctx, store.Listening{
		Channel: changes, RetryMin: 100 * time.Millisecond, RetryMax: 5 * time.Second, Anew: m.deps.Missed, Logger: m.deps.Logger,
		Heard: func(payload string) {
			var told struct {
				License uuid.UUID `json:"license_id"`
				Transition
			}
			if err := json.Unmarshal([]byte(payload), &told); err != nil {
				m.deps.Logger.Error("installations: Postgres told of a change that cannot be read", "error", err)
				return
			}
			told.At = told.At.UTC()
			m.deps.Changed(told.License, told.Transition)
		},
	})
}
