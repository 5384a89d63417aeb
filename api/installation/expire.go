package installation

import (
	"context"
	"fmt"

	"corrosion/api/store"
	"corrosion/schema/pg"
)

// expireAtOnce bounds what one transaction ends.
const expireAtOnce = 100

// expireOnce ends what silence has decided, and what waits for a module that will not come.
func (m *Manager) expireOnce(ctx context.Context) (again bool, err error) {
	var rows []pg.ModuleInstallation
	err = m.store.Tx(ctx, func(q *pg.Queries) (err error) {
		if rows, err = q.LockOverdueInstallations(ctx, expireAtOnce); err != nil {
			return err
		}
		for _, row := range rows {
			if err := m.expire(ctx, q, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, store.Wrap("expire", err)
	}
	for _, row := range rows {
		if m.link != nil && row.CommandSeq != nil && (row.Status == string(Dispatched) || row.Status == string(Uninstalling)) {
			_, _ = m.link.recall(ctx, row.LicenseID, row.ServerID, *row.CommandSeq) // the agent refuses it by then anyway
		}
	}
	if len(rows) > 0 {
		nudge(m.stir)
	}
	return len(rows) == expireAtOnce, nil
}

func (m *Manager) expire(ctx context.Context, q *pg.Queries, row pg.ModuleInstallation) error {
	after, changed := stateOf(row).Expire(m.now())
	if !changed && len(row.Needs) > 0 {
		need, err := q.FailedNeed(ctx, row.Needs)
		if err != nil && !store.Missing(err) {
			return err
		}
		if err == nil {
			after, changed = stateOf(row).Unneeded(fmt.Sprintf("it needs the module %s, which is %s", need.Module, need.Status))
		}
	}
	if !changed {
		return nil
	}
	return m.write(ctx, q, row, after, row.CommandSeq, "", actorPlatform)
}
