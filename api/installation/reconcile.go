package installation

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/store"
	"corrosion/schema/command"
	"corrosion/schema/pg"
)

// reconcile compares what is believed to be on a server with what its agent found there.
func (m *Manager) reconcile(ctx context.Context, s said, h *command.Heartbeat) error {
	rows, err := m.store.Queries().ReconcilableInstallations(ctx, pg.ReconcilableInstallationsParams{LicenseID: s.license, ServerID: s.server})
	if err != nil {
		return fmt.Errorf("read what is installed: %w", err)
	}
	found := map[uuid.UUID]command.Module{}
	for _, one := range h.Installed {
		found[one.ID] = one
	}
	var faults []error
	for _, row := range rows {
		one, there := found[row.ID]
		if row.Status != string(Installed) {
			if there && one.Condition == command.Intact && one.SHA256 == row.Sha256 { // done after all, and the word of it was lost
				faults = append(faults, m.hearReport(ctx, s, command.Report{ID: row.ID, Attempt: int(row.Attempt), Status: command.Installed, Progress: 100}))
			}
			continue
		}
		if drift := drift(row, one, there); drift != row.Drift {
			err := m.store.Queries().SetInstallationDrift(ctx, pg.SetInstallationDriftParams{ID: row.ID, Drift: drift, Now: m.now()})
			faults = append(faults, store.Wrap("note drift", err))
			if drift != "" {
				m.deps.Logger.Warn("installations: a server's disk is not as it was left", "license", s.license, "server", s.server, "installation", row.ID, "drift", drift)
			}
		}
	}
	return errors.Join(faults...)
}

// drift says how the disk differs from an installed row; "" = it does not.
func drift(row pg.ModuleInstallation, found command.Module, there bool) string {
	switch {
	case !there:
		return "the agent knows nothing of it: its plugin directory was changed or replaced"
	case found.Condition == command.Missing:
		return "the file " + row.File + " is gone"
	case found.Condition == command.Altered || found.SHA256 != row.Sha256:
		return "the file " + row.File + " was changed by somebody else"
	}
	return ""
}
