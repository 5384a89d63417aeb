package installation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/store"
	"corrosion/schema/pg"
)

// alter lets do decide on a locked installation and writes what it decides. It fails with ErrNotFound.
func (m *Manager) alter(ctx context.Context, license, id uuid.UUID, actor string, do func(State) (State, bool, error)) error {
	return m.store.Tx(ctx, func(q *pg.Queries) error {
		row, err := q.LockInstallation(ctx, pg.LockInstallationParams{LicenseID: license, ID: id})
		if store.Missing(err) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("read installation: %w", err)
		}
		after, changed, err := do(stateOf(row))
		if err != nil || !changed {
			return err
		}
		return m.write(ctx, q, row, after, row.CommandSeq, "", actor)
	})
}

// asked changes an installation because somebody asks: under the server's lock, and noted in the audit log.
func (m *Manager) asked(ctx context.Context, license, id uuid.UUID, by By, action string, do func(*pg.Queries, pg.ModuleInstallation) (State, error)) (Installation, error) {
	var changed Installation
	err := m.store.Tx(ctx, func(q *pg.Queries) error {
		seen, err := q.FindInstallation(ctx, pg.FindInstallationParams{LicenseID: license, ID: id})
		if store.Missing(err) {
			return ErrNotFound
		}
		if err == nil {
			err = q.LockServerModules(ctx, license.String()+" "+seen.ServerID)
		}
		var row pg.ModuleInstallation
		if err == nil {
			row, err = q.LockInstallation(ctx, pg.LockInstallationParams{LicenseID: license, ID: id})
		}
		if err != nil {
			return fmt.Errorf("read installation: %w", err)
		}
		after, err := do(q, row)
		if err != nil {
			return err
		}
		if err := m.write(ctx, q, row, after, row.CommandSeq, "", by.Actor); err != nil {
			if store.Taken(err) {
				return ErrBusy
			}
			return err
		}
		changed = installationOf(row)
		changed.State = after
		return m.audit(ctx, q, by, action, row)
	})
	if err != nil {
		return Installation{}, err
	}
	nudge(m.wake)
	nudge(m.stir)
	return changed, nil
}

// Retry begins a failed installation again. It fails with ErrNotFound, ErrNotOwned, ErrBusy, ErrInstalled or ErrIllegal.
func (m *Manager) Retry(ctx context.Context, license, id uuid.UUID, by By) (Installation, error) {
	return m.asked(ctx, license, id, by, "installation.retried", func(q *pg.Queries, row pg.ModuleInstallation) (State, error) {
		after, err := stateOf(row).Retry(m.now(), m.cfg.Policy)
		if err != nil || after.Goal != Present {
			return after, err
		}
		if err := m.owned(ctx, license, row.Module); err != nil {
			return after, err
		}
		rows, err := q.ServerInstallations(ctx, pg.ServerInstallationsParams{LicenseID: license, ServerID: row.ServerID})
		if err != nil {
			return after, fmt.Errorf("read what is on the server: %w", err)
		}
		now := onServer(rows)[row.Module]
		switch {
		case now.open != nil:
			return after, ErrBusy
		case now.installed != nil && now.installed.Version == row.Version:
			return after, ErrInstalled
		}
		return after, nil
	})
}

// Remove cancels what is under way and uninstalls what is there. What the agent has not had is cancelled when Remove
// returns; else the agent must act first. It fails with ErrNotFound, ErrNeeded, ErrBusy or ErrIllegal.
func (m *Manager) Remove(ctx context.Context, license, id uuid.UUID, by By) (Installation, error) {
	return m.asked(ctx, license, id, by, "installation.removed", func(q *pg.Queries, row pg.ModuleInstallation) (State, error) {
		state := stateOf(row)
		if state.Status == Dispatched && row.CommandSeq != nil && m.link != nil {
			if never, err := m.link.recall(ctx, license, row.ServerID, *row.CommandSeq); err == nil && never {
				return state.Unsent()
			}
		}
		if state.Status == Installed {
			dependents, err := q.DependentModules(ctx, pg.DependentModulesParams{LicenseID: license, ServerID: row.ServerID, Module: row.Module})
			if err != nil {
				return state, fmt.Errorf("look for what needs it: %w", err)
			}
			if len(dependents) > 0 {
				return state, fmt.Errorf("%w: %s", ErrNeeded, dependents[0])
			}
		}
		return state.Remove(m.now(), m.cfg.Policy)
	})
}

// Rollback puts the version before back in the place of an installed one: a new installation, which the agent can do from
// the version that it keeps. It fails with ErrNotFound, ErrNoBefore, and as Install does.
func (m *Manager) Rollback(ctx context.Context, license, id uuid.UUID, by By) (Installation, error) {
	now, err := m.Find(ctx, license, id)
	if err != nil {
		return now, err
	}
	if now.Status != Installed {
		return now, fmt.Errorf("%w: only what is installed can be rolled back, this is %s", ErrIllegal, now.Status)
	}
	if now.Replaces == nil {
		return now, ErrNoBefore
	}
	before, err := m.Find(ctx, license, *now.Replaces)
	if err != nil {
		return now, err
	}
	if before.Version == now.Version {
		return now, ErrNoBefore
	}
	return m.Install(ctx, Ask{License: license, Server: now.Server, Module: now.Module, Version: before.Version, By: by, Rollout: now.Rollout})
}
