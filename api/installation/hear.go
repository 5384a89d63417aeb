package installation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"corrosion/api/store"
	"corrosion/schema/command"
	"corrosion/schema/pg"
)

// said is a message of one agent. Its subject says whose it is: NATS lets nobody else publish there.
type said struct {
	license uuid.UUID
	server  string
	payload []byte
	at      time.Time
}

// hearLimit bounds the writing of one message.
const hearLimit = 20 * time.Second

// sort puts a message into its agent's lane. Where too much waits it is dropped: a heartbeat will say it again.
func (m *Manager) sort(msg *nats.Msg) {
	license, server, ok := command.ParseStatusSubject(msg.Subject)
	if !ok {
		return // samples of a server that is called status, for one
	}
	select {
	case m.lanes[lane(license, server, len(m.lanes))] <- said{license, server, msg.Data, m.now()}:
	default:
		m.metrics.messages.WithLabelValues("dropped").Inc()
	}
}

// listen writes what comes through a lane until it is closed.
func (m *Manager) listen(lane <-chan said) {
	for s := range lane {
		ctx, cancel := context.WithTimeout(context.Background(), hearLimit)
		if err := m.hear(ctx, s); err != nil {
			m.deps.Logger.Warn("installations: what an agent said was not written; its next heartbeat says it again",
				"license", s.license, "server", s.server, "error", err)
		}
		cancel()
	}
}

func (m *Manager) hear(ctx context.Context, s said) error {
	message, err := command.ReadMessage(s.payload)
	switch {
	case err != nil:
		m.metrics.messages.WithLabelValues("bad").Inc()
		return err
	case message.Status != nil:
		m.metrics.messages.WithLabelValues("status").Inc()
		return m.hearReport(ctx, s, message.Status.Report)
	}
	m.metrics.messages.WithLabelValues("heartbeat").Inc()
	return m.hearBeat(ctx, s, message.Heartbeat)
}

// hearReport takes the state of one command. An installation of another server is none of this agent's.
func (m *Manager) hearReport(ctx context.Context, s said, r command.Report) error {
	ended := false
	err := m.store.Tx(ctx, func(q *pg.Queries) error {
		row, err := q.LockInstallation(ctx, pg.LockInstallationParams{LicenseID: s.license, ID: r.ID})
		if store.Missing(err) || err == nil && row.ServerID != s.server {
			m.metrics.messages.WithLabelValues("late").Inc()
			m.deps.Logger.Debug("installations: an agent speaks of what is not on its server", "license", s.license, "server", s.server, "installation", r.ID)
			return nil
		}
		if err != nil {
			return err
		}
		after, changed := stateOf(row).Hear(r, m.now(), m.cfg.Policy)
		if !changed {
			m.metrics.messages.WithLabelValues("late").Inc()
			return nil
		}
		ended = !after.Status.Open()
		return m.write(ctx, q, row, after, row.CommandSeq, "", actorAgent)
	})
	if ended {
		nudge(m.wake) // others may wait for it
		nudge(m.stir)
	}
	return store.Wrap("hear a status", err)
}

// hearBeat writes down that an agent is there, takes the reports that it repeats, and compares its disk with ours.
func (m *Manager) hearBeat(ctx context.Context, s said, h *command.Heartbeat) error {
	installed, err := json.Marshal(h.Installed)
	if err != nil {
		return fmt.Errorf("encode inventory: %w", err)
	}
	err = m.store.Queries().UpsertAgent(ctx, pg.UpsertAgentParams{
		LicenseID: s.license, ServerID: s.server, Version: h.Agent, Os: h.OS, Arch: h.Arch, StartedAt: sane(h.Started, s.at), SeenAt: s.at,
		SkewMs: h.At.Sub(s.at).Milliseconds(), Fault: h.Fault, Installed: installed,
	})
	faults := []error{store.Wrap("note an agent", err)}
	for _, r := range h.Reports {
		faults = append(faults, m.hearReport(ctx, s, r))
	}
	return errors.Join(append(faults, m.reconcile(ctx, s, h), m.reconnect(ctx, s))...)
}

// sane keeps a broken clock from writing what Postgres cannot keep.
func sane(t, now time.Time) time.Time {
	if t.Year() < 1970 || t.Year() > 9999 {
		return now
	}
	return t.UTC()
}

// reconnect sees to it that an agent which is there has its consumer: NATS may have lost it.
func (m *Manager) reconnect(ctx context.Context, s said) error {
	if m.link == nil || m.link.known(command.Consumer(s.license, s.server)) {
		return nil
	}
	open, err := m.store.Queries().OpenInstallationsOf(ctx, pg.OpenInstallationsOfParams{LicenseID: s.license, ServerID: s.server})
	if err != nil || open == 0 {
		return store.Wrap("look for open installations", err)
	}
	ctx, cancel := context.WithTimeout(ctx, jetStreamLimit)
	defer cancel()
	return m.link.ensure(ctx, s.license, s.server)
}
