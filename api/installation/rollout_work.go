package installation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// rolloutOnce goes on with one rollout.
func (m *Manager) rolloutOnce(ctx context.Context) (again bool, err error) {
	row, err := m.store.Queries().ClaimRollout(ctx, m.cfg.Lease.Seconds())
	if store.Missing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim: %w", err)
	}
	r, before, err := m.loadRollout(ctx, row)
	if err != nil {
		return false, err
	}
	now := m.now()
	guard, err := rolloutOf(row)
	if err != nil {
		return false, err
	}
	s := r.next(now, guard.Guard == nil)
	if s.judge {
		broken, known, err := m.judge(ctx, row, *guard.Guard, r)
		if err != nil {
			m.deps.Logger.Warn("installations: a rollout's guard cannot be looked at; it waits", "rollout", row.ID, "error", err)
			return true, m.writeRollout(ctx, row, step{status: r.status, batch: r.batch, done: r.batchDone, wait: look})
		}
		s = r.next(now, true)
		switch {
		case !known:
			s = r.unknown(s, now)
		case broken != "":
			s = step{status: RollingBack, reason: "the guard is broken: " + broken, batch: r.batch, done: r.batchDone}
			m.deps.Logger.Warn("installations: a rollout is taken back", "rollout", row.ID, "reason", broken)
		}
	}
	m.askServers(ctx, row, s, before)
	return true, m.writeRollout(ctx, row, s)
}

// loadRollout reads where a rollout stands, and by server what it needs to be taken back.
func (m *Manager) loadRollout(ctx context.Context, row pg.ModuleRollout) (rollout, map[string]pg.RolloutServersRow, error) {
	r := rollout{
		status: RolloutStatus(row.Status), batch: int(row.Batch), batchDone: row.BatchDoneAt,
		pause: time.Duration(row.PauseS) * time.Second, maxFailures: int(row.MaxFailures),
	}
	servers, err := m.store.Queries().RolloutServers(ctx, row.ID)
	if err != nil {
		return r, nil, fmt.Errorf("read servers of the rollout: %w", err)
	}
	by := make(map[string]pg.RolloutServersRow, len(servers))
	for _, s := range servers {
		by[s.ServerID] = s
		r.targets = append(r.targets, target{
			server: s.ServerID, batch: int(s.Batch), status: Status(s.Status), failure: s.Error, before: s.Replaces != nil,
			installedAt: s.InstalledAt, undo: Status(s.UndoStatus), undone: s.Undone,
		})
	}
	return r, by, nil
}

// writeRollout notes a step, unless somebody has steered the rollout meanwhile.
func (m *Manager) writeRollout(ctx context.Context, row pg.ModuleRollout, s step) error {
	err := m.store.Tx(ctx, func(q *pg.Queries) error {
		now, err := q.LockRollout(ctx, row.ID)
		if err != nil {
			return err
		}
		params := pg.WriteRolloutParams{
			ID: row.ID, Status: string(s.status), Batch: int32(s.batch), BatchDoneAt: s.done, Reason: now.Reason,
			NextAt: m.now().Add(s.wait), UpdatedAt: now.UpdatedAt,
		}
		if s.reason != "" {
			params.Reason = audit.Clip(s.reason, 1000)
		}
		if now.Status != row.Status {
			params.Status, params.Reason, params.NextAt = now.Status, now.Reason, m.now()
		}
		if params.Status != row.Status || params.Batch != row.Batch {
			params.UpdatedAt = m.now()
		}
		return q.WriteRollout(ctx, params)
	})
	return store.Wrap("write rollout", err)
}

// askServers asks for what a step wants. What is refused is that server's failure, not the rollout's.
func (m *Manager) askServers(ctx context.Context, row pg.ModuleRollout, s step, servers map[string]pg.RolloutServersRow) {
	by := By{Actor: "rollout " + row.ID.String()}
	for _, server := range s.install {
		made, err := m.Install(ctx, Ask{License: row.LicenseID, Server: server, Module: row.Module, Version: row.Version, By: by,
			Rollout: &row.ID, Key: "rollout " + row.ID.String() + " " + server})
		m.noteServer(ctx, row.ID, servers[server], noted{installation: made.ID, err: err})
	}
	for _, server := range s.undo {
		m.noteServer(ctx, row.ID, servers[server], m.undo(ctx, row, servers[server], by))
	}
}

// undo takes a server's installation back: to the version before where there was one, else away.
func (m *Manager) undo(ctx context.Context, row pg.ModuleRollout, s pg.RolloutServersRow, by By) noted {
	if s.InstallationID == nil {
		return noted{undone: true}
	}
	now, err := m.Find(ctx, row.LicenseID, *s.InstallationID)
	if err != nil {
		return noted{err: err, undone: errors.Is(err, ErrNotFound)}
	}
	switch {
	case now.Status == Cancelled || now.Status == Uninstalled:
		return noted{undone: true}
	case now.Status == Failed && now.Code != CodeSilent && now.Code != CodeUnreached:
		return noted{undone: true} // the agent says that it is not there
	case now.Status == Uninstalling:
		return noted{undo: now.ID}
	case now.Status == Installed && now.Replaces != nil:
		made, err := m.Rollback(ctx, row.LicenseID, now.ID, by)
		return noted{undo: made.ID, err: err}
	}
	made, err := m.Remove(ctx, row.LicenseID, now.ID, by)
	return noted{undo: made.ID, undone: err == nil && !made.Status.Open(), err: err}
}

// noted is what came of asking one server.
type noted struct {
	installation, undo uuid.UUID
	undone             bool
	err                error
}

func (m *Manager) noteServer(ctx context.Context, rollout uuid.UUID, s pg.RolloutServersRow, n noted) {
	params := pg.SetRolloutServerParams{RolloutID: rollout, ServerID: s.ServerID, Error: s.Error, Undone: s.Undone || n.undone}
	if n.installation != uuid.Nil {
		params.InstallationID = &n.installation
	}
	if n.undo != uuid.Nil {
		params.UndoID = &n.undo
	}
	if n.err != nil {
		params.Error = audit.Clip(n.err.Error(), 1000)
	}
	if err := m.store.Queries().SetRolloutServer(ctx, params); err != nil {
		m.deps.Logger.Error("installations: what a rollout asked of a server was not noted; it asks again", "rollout", rollout, "server", s.ServerID, "error", err)
	}
}

// judge measures the servers that have it and the others, before and after.
// Without any that have it there is nothing to know.
func (m *Manager) judge(ctx context.Context, row pg.ModuleRollout, g Guard, r rollout) (broken string, known bool, err error) {
	treated, since := r.treated()
	if len(treated) == 0 {
		return "", true, nil
	}
	now, begun := m.now(), row.CreatedAt
	from := begun.Add(-time.Duration(g.BaselineS) * time.Second)
	all, err := m.deps.Stats.Servers(ctx, row.LicenseID, from, now)
	if err != nil {
		return "", false, fmt.Errorf("list servers: %w", err)
	}
	others := slices.DeleteFunc(all, func(s string) bool {
		return slices.ContainsFunc(r.targets, func(t target) bool { return t.server == s && t.status != "" })
	})
	var faults []error
	measure := func(servers []string, from, to time.Time) (float64, uint64) {
		p50, samples, err := m.deps.Stats.FPS(ctx, row.LicenseID, servers, from, to)
		faults = append(faults, err)
		return p50, samples
	}
	var measured Measures
	measured.TreatedBefore, _ = measure(treated, from, begun)
	measured.TreatedAfter, measured.Samples = measure(treated, since, now)
	measured.OthersBefore, _ = measure(others, from, begun)
	measured.OthersAfter, _ = measure(others, since, now)
	if err := errors.Join(faults...); err != nil {
		return "", false, fmt.Errorf("measure servers: %w", err)
	}
	broken, known = g.Judge(measured)
	return broken, known, nil
}
