package installation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/store"
	"corrosion/schema/command"
	"corrosion/schema/pg"
)

// Find gives one installation of a license. It fails with ErrNotFound.
func (m *Manager) Find(ctx context.Context, license, id uuid.UUID) (Installation, error) {
	row, err := m.store.Queries().FindInstallation(ctx, pg.FindInstallationParams{LicenseID: license, ID: id})
	if store.Missing(err) {
		return Installation{}, ErrNotFound
	}
	if err != nil {
		return Installation{}, fmt.Errorf("read installation: %w", err)
	}
	return installationOf(row), nil
}

// History gives the changes of an installation, in order.
func (m *Manager) History(ctx context.Context, id uuid.UUID) ([]Change, error) {
	rows, err := m.store.Queries().ListInstallationChanges(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	changes := make([]Change, 0, len(rows))
	for _, row := range rows {
		c := Change{At: row.At, Attempt: int(row.Attempt), To: Status(row.ToStatus), Reason: row.Reason, Actor: row.Actor}
		if row.FromStatus != nil {
			c.From = Status(*row.FromStatus)
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// Filter chooses installations of a license; what is "" does not.
type Filter struct {
	License        uuid.UUID
	Server, Module string
	Status         Status
	// Before is where the page begins: the last of the page before; zero = at the newest.
	Before Place
	Limit  int
}

// Place is a place in the order of installations, the newest first.
type Place struct {
	Created time.Time
	ID      uuid.UUID
}

// List gives a page of installations, the newest first, and where the next begins; nil = this is the last.
func (m *Manager) List(ctx context.Context, f Filter) (page []Installation, next *Place, err error) {
	if f.Before.Created.IsZero() {
		f.Before.Created = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	rows, err := m.store.Queries().ListInstallations(ctx, pg.ListInstallationsParams{
		LicenseID: f.License, ServerID: f.Server, Module: f.Module, Status: string(f.Status),
		BeforeAt: f.Before.Created, BeforeID: f.Before.ID, Most: int32(f.Limit) + 1,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list installations: %w", err)
	}
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		last := rows[len(rows)-1]
		next = &Place{last.CreatedAt, last.ID}
	}
	for _, row := range rows {
		page = append(page, installationOf(row))
	}
	return page, next, nil
}

// InstalledOn tells on which servers of a license each module is installed.
func (m *Manager) InstalledOn(ctx context.Context, license uuid.UUID) (map[string][]string, error) {
	return InstalledOn(ctx, m.store.Queries(), license)
}

// InstalledOn is the method of that name, for who has no Manager.
func InstalledOn(ctx context.Context, q *pg.Queries, license uuid.UUID) (map[string][]string, error) {
	rows, err := q.InstalledModules(ctx, license)
	if err != nil {
		return nil, fmt.Errorf("read installed modules: %w", err)
	}
	on := map[string][]string{}
	for _, row := range rows {
		on[row.Module] = append(on[row.Module], row.ServerID)
	}
	return on, nil
}

// Presence is whether an agent is there.
type Presence string

// The kinds of presence.
const (
	Online  Presence = "online"
	Silent  Presence = "silent"
	Unheard Presence = "never"
)

// Agent is a companion agent, enrolled or heard.
type Agent struct {
	Server            string
	Enrolled          bool
	Presence          Presence
	Version, OS, Arch string
	Started, Seen     *time.Time
	Skew              time.Duration
	Fault             string
	Installed         []command.Module
	// Unknown are modules on its disk that were not installed through the platform, or not any more.
	Unknown []string
}

func (m *Manager) presence(seen *time.Time) Presence {
	switch {
	case seen == nil:
		return Unheard
	case m.now().Sub(*seen) > m.cfg.Online:
		return Silent
	}
	return Online
}

// heard is nil for the epoch: never.
func heard(t time.Time) *time.Time {
	if t.Unix() == 0 {
		return nil
	}
	return &t
}

// Presence tells whether the agent of a server is there.
func (m *Manager) Presence(ctx context.Context, license uuid.UUID, server string) (Presence, error) {
	row, err := m.store.Queries().FindAgent(ctx, pg.FindAgentParams{LicenseID: license, ServerID: server})
	if store.Missing(err) {
		return Unheard, nil
	}
	if err != nil {
		return "", fmt.Errorf("read agent: %w", err)
	}
	return m.presence(&row.SeenAt), nil
}

// Agents gives the agents of a license, in the order of their servers.
func (m *Manager) Agents(ctx context.Context, license uuid.UUID) ([]Agent, error) {
	q := m.store.Queries()
	rows, err := q.ListAgents(ctx, license)
	if err != nil {
		return nil, fmt.Errorf("read agents: %w", err)
	}
	on, err := m.InstalledOn(ctx, license)
	if err != nil {
		return nil, err
	}
	known := map[[2]string]bool{}
	for module, servers := range on {
		for _, server := range servers {
			known[[2]string{server, module}] = true
		}
	}
	agents := []Agent{}
	for _, row := range rows {
		a := Agent{
			Server: row.ServerID, Enrolled: row.Enrolled, Presence: m.presence(heard(row.SeenAt)), Version: row.Version, OS: row.Os, Arch: row.Arch,
			Started: heard(row.StartedAt), Seen: heard(row.SeenAt), Skew: time.Duration(row.SkewMs) * time.Millisecond, Fault: row.Fault, Unknown: []string{},
		}
		if err := json.Unmarshal(row.Installed, &a.Installed); err != nil {
			return nil, fmt.Errorf("read inventory of %s: %w", row.ServerID, err)
		}
		for _, one := range a.Installed {
			if !known[[2]string{row.ServerID, one.Module}] {
				a.Unknown = append(a.Unknown, one.Module)
			}
		}
		agents = append(agents, a)
	}
	return agents, nil
}
