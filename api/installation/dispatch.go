package installation

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"corrosion/api/store"
	"corrosion/schema/command"
	"corrosion/schema/pg"
)

const (
	claimAtOnce = 32
	sendAtOnce  = 8
	// sendAgain is the pause before a command is sent again that NATS did not take, seconds.
	sendAgain = 3
)

// dispatchOnce sends what is due.
func (m *Manager) dispatchOnce(ctx context.Context) (again bool, err error) {
	rows, err := m.store.Queries().ClaimInstallations(ctx, pg.ClaimInstallationsParams{LeaseSeconds: m.cfg.Lease.Seconds(), Most: claimAtOnce})
	if err != nil {
		return false, fmt.Errorf("claim: %w", err)
	}
	var sends errgroup.Group // one that fails leaves the others alone
	sends.SetLimit(sendAtOnce)
	for _, row := range rows {
		sends.Go(func() error { return m.dispatch(ctx, row) })
	}
	return len(rows) == claimAtOnce, sends.Wait()
}

// dispatch sends one command. A process that dies within leaves the lease to run out; the command has the same name then.
func (m *Manager) dispatch(ctx context.Context, row pg.ModuleInstallation) error {
	c, err := m.command(ctx, row)
	if errors.Is(err, ErrNoModule) {
		return m.abandon(ctx, row, "the version cannot be had any more")
	}
	var payload []byte
	var signatures []string
	if err == nil {
		payload, signatures, err = command.Sign(c, m.deps.Signer)
	}
	if err != nil {
		return errors.Join(err, m.delay(ctx, row))
	}
	ack, err := m.link.publish(ctx, c, payload, signatures)
	if err != nil {
		m.metrics.commands.WithLabelValues("failed").Inc()
		return errors.Join(err, m.delay(ctx, row))
	}
	result := "sent"
	if ack.Duplicate {
		result = "again"
	}
	m.metrics.commands.WithLabelValues(result).Inc()
	return m.sent(ctx, row, c, int64(ack.Sequence))
}

func (m *Manager) command(ctx context.Context, row pg.ModuleInstallation) (command.Command, error) {
	now := m.now()
	c := command.Command{
		Schema: command.Schema, ID: row.ID, Action: command.Install, Module: row.Module, Version: row.Version, SHA256: row.Sha256,
		File: row.File, Size: row.Size, License: row.LicenseID, Server: row.ServerID, Attempt: int(row.Attempt),
		Issued: now, Expires: now.Add(m.cfg.Policy.Life),
	}
	if Goal(row.Goal) != Present {
		c.Action, c.Restore = command.Uninstall, Goal(row.Goal) == NeverWas
		return c, nil
	}
	// The agent may begin just before the command expires, and be slow.
	url, err := m.deps.Catalogue.Link(ctx, row.Module, row.Version, c.Expires.Add(m.cfg.Policy.Silence))
	c.URL = url
	return c, err
}

// sent notes that the stream has a command. One that was overtaken meanwhile is taken back.
func (m *Manager) sent(ctx context.Context, row pg.ModuleInstallation, c command.Command, seq int64) error {
	overtaken := false
	err := m.store.Tx(ctx, func(q *pg.Queries) error {
		now, err := q.LockInstallation(ctx, pg.LockInstallationParams{LicenseID: row.LicenseID, ID: row.ID})
		if err != nil {
			overtaken = store.Missing(err)
			return err
		}
		after, changed := stateOf(now).Sent(c.Attempt, c.Expires)
		if overtaken = int(now.Attempt) != c.Attempt || !Status(now.Status).Open(); !changed {
			return nil // the agent was faster, or it is overtaken
		}
		return m.write(ctx, q, now, after, &seq, "", actorPlatform)
	})
	if overtaken {
		m.metrics.commands.WithLabelValues("overtaken").Inc()
		_, _ = m.link.recall(ctx, row.LicenseID, row.ServerID, seq) // the agent knows what is overtaken
		return nil
	}
	return store.Wrap("note a sent command", err)
}

func (m *Manager) delay(ctx context.Context, row pg.ModuleInstallation) error {
	err := m.store.Queries().DelayCommand(context.WithoutCancel(ctx), pg.DelayCommandParams{ID: row.ID, Attempt: row.Attempt, WaitSeconds: sendAgain})
	return store.Wrap("delay a command", err)
}

// abandon fails what cannot be sent at all.
func (m *Manager) abandon(ctx context.Context, row pg.ModuleInstallation, why string) error {
	return m.alter(ctx, row.LicenseID, row.ID, actorPlatform, func(s State) (State, bool, error) {
		if !s.Status.Open() {
			return s, false, nil
		}
		return s.fail(CodeUnreached, why), true, nil
	})
}
