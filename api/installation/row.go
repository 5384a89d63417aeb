package installation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/schema/command"
	"corrosion/schema/pg"
)

// Installation is a module on a server, or on its way there.
type Installation struct {
	ID, License uuid.UUID
	Server      string
	Module      string
	Version     string
	File        string
	SHA256      string
	Size        int64
	State
	// Replaces is the installation of the version before, Needs are those that must be there first, Rollout is whose
	// part it is.
	Replaces *uuid.UUID
	Needs    []uuid.UUID
	Rollout  *uuid.UUID
	// Drift says how the disk differs from what was installed; "" = it does not, as far as the agent has said.
	Drift            string
	DriftSince       *time.Time
	Created, Updated time.Time
}

// Change is one change of an installation's status.
type Change struct {
	At       time.Time
	Attempt  int
	From, To Status // From is "" for the first
	Reason   string
	Actor    string
}

// By is who asks for something; the rest of the entry of the audit log is filled in.
type By = audit.Event

func stateOf(row pg.ModuleInstallation) State {
	return State{
		Status: Status(row.Status), Goal: Goal(row.Goal), Progress: int(row.Progress), Error: row.Error, Code: command.Code(row.Code),
		Attempt: int(row.Attempt), Tries: int(row.Tries), Due: row.CommandDue, Deadline: row.Deadline, InstalledAt: row.InstalledAt,
	}
}

func installationOf(row pg.ModuleInstallation) Installation {
	return Installation{
		ID: row.ID, License: row.LicenseID, Server: row.ServerID, Module: row.Module, Version: row.Version, File: row.File,
		SHA256: row.Sha256, Size: row.Size, State: stateOf(row), Replaces: row.Replaces, Needs: row.Needs, Rollout: row.RolloutID,
		Drift: row.Drift, DriftSince: row.DriftSince, Created: row.CreatedAt, Updated: row.UpdatedAt,
	}
}

// write puts a locked row into the state after and its change, if it is one, into the history. An installation that is
// installed takes the place of the one before.
func (m *Manager) write(ctx context.Context, q *pg.Queries, row pg.ModuleInstallation, after State, seq *int64, reason, actor string) error {
	if after.Status == Installed && row.Status != string(Installed) {
		if err := m.replace(ctx, q, row); err != nil {
			return err
		}
	}
	err := q.WriteInstallation(ctx, pg.WriteInstallationParams{
		ID: row.ID, Status: string(after.Status), Goal: string(after.Goal), Progress: int32(after.Progress),
		Error: audit.Clip(after.Error, 1000), Code: string(after.Code), Attempt: int32(after.Attempt), Tries: int32(after.Tries),
		CommandDue: after.Due, CommandSeq: seq, Deadline: after.Deadline, UpdatedAt: m.now(), InstalledAt: after.InstalledAt,
	})
	if err != nil {
		return fmt.Errorf("write installation: %w", err)
	}
	if after.Status == Status(row.Status) {
		return nil
	}
	// What was said of the disk was said of what was there.
	if err := q.SetInstallationDrift(ctx, pg.SetInstallationDriftParams{ID: row.ID, Now: m.now()}); err != nil {
		return fmt.Errorf("write installation: %w", err)
	}
	m.metrics.changes.WithLabelValues(string(after.Status)).Inc()
	if reason == "" {
		reason = after.Error
	}
	return m.note(ctx, q, row.ID, after.Attempt, &row.Status, after.Status, reason, actor)
}

func (m *Manager) note(ctx context.Context, q *pg.Queries, id uuid.UUID, attempt int, from *string, to Status, reason, actor string) error {
	err := q.AddInstallationChange(ctx, pg.AddInstallationChangeParams{
		InstallationID: id, At: m.now(), Attempt: int32(attempt), FromStatus: from, ToStatus: string(to),
		Reason: audit.Clip(reason, 1000), Actor: audit.Clip(actor, audit.MaxActor),
	})
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

func (m *Manager) replace(ctx context.Context, q *pg.Queries, row pg.ModuleInstallation) error {
	rows, err := q.LockInstalledModule(ctx, pg.LockInstalledModuleParams{LicenseID: row.LicenseID, ServerID: row.ServerID, Module: row.Module, ID: row.ID})
	if err != nil {
		return fmt.Errorf("read the version before: %w", err)
	}
	for _, old := range rows {
		after, err := stateOf(old).Replaced()
		if err != nil {
			return err
		}
		reason := "version " + row.Version + " is in its place"
		if err := m.write(ctx, q, old, after, old.CommandSeq, reason, actorPlatform); err != nil {
			return err
		}
	}
	return nil
}

// Actors of changes that no person makes.
const (
	actorPlatform = "platform"
	actorAgent    = "agent"
)
