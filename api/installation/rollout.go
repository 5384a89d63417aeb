package installation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Rollout is a module on its way to many servers.
type Rollout struct {
	ID, License      uuid.UUID
	Module, Version  string
	Status           RolloutStatus
	BatchSize        int
	Pause            time.Duration
	MaxFailures      int
	Guard            *Guard
	Batch            int // the one that is out, from 0; -1 = none yet
	Reason           string
	Actor            string
	Created, Updated time.Time
	Servers          []RolloutServer
}

// RolloutServer is one server of a rollout.
type RolloutServer struct {
	Server       string
	Batch        int
	Installation *uuid.UUID
	Status       Status // of the installation; "" = not asked for
	Error        string
	Undo         *uuid.UUID
	UndoStatus   Status
}

// Bounds of a rollout.
const (
	MaxRolloutServers = 10_000
	MaxBatch          = 1000
	MaxPause          = 7 * 24 * time.Hour
)

// RolloutAsk is a request to bring a module onto many servers. Its bounds are the caller's to check.
type RolloutAsk struct {
	License         uuid.UUID
	Module, Version string // "" = the latest
	Servers         []string
	BatchSize       int
	Pause           time.Duration
	MaxFailures     int
	Guard           *Guard
	By              By
}

// What can be wrong with rollouts.
var (
	ErrNoRollout   = errors.New("no such rollout")
	ErrRolloutOpen = errors.New("another rollout of the module is under way")
	ErrNoStats     = errors.New("guards need the stats, which this process does not have")
)

// StartRollout begins one. It fails with ErrNoModule, ErrNotOwned, ErrRolloutOpen or ErrNoStats.
func (m *Manager) StartRollout(ctx context.Context, ask RolloutAsk) (Rollout, error) {
	if ask.Guard != nil && m.deps.Stats == nil {
		return Rollout{}, ErrNoStats
	}
	release, err := m.deps.Catalogue.Release(ctx, ask.Module, ask.Version)
	if err == nil {
		err = m.owned(ctx, ask.License, release.Module)
	}
	if err != nil {
		return Rollout{}, err
	}
	var guard []byte
	if ask.Guard != nil {
		if guard, err = json.Marshal(ask.Guard); err != nil {
			return Rollout{}, fmt.Errorf("encode guard: %w", err)
		}
	}
	id := uuid.Must(uuid.NewV7())
	err = m.store.Tx(ctx, func(q *pg.Queries) error {
		row, err := q.CreateRollout(ctx, pg.CreateRolloutParams{
			ID: id, LicenseID: ask.License, Module: release.Module, Version: release.Version, BatchSize: int32(ask.BatchSize),
			PauseS: int32(ask.Pause / time.Second), MaxFailures: int32(ask.MaxFailures), Guard: guard,
			Actor: audit.Clip(ask.By.Actor, audit.MaxActor), Now: m.now(),
		})
		if store.Taken(err) {
			return ErrRolloutOpen
		}
		if err != nil {
			return fmt.Errorf("create rollout: %w", err)
		}
		if err := q.AddRolloutServers(ctx, pg.AddRolloutServersParams{RolloutID: id, BatchSize: row.BatchSize, Servers: ask.Servers}); err != nil {
			return fmt.Errorf("create rollout: %w", err)
		}
		return m.auditRollout(ctx, q, ask.By, "rollout.started", row)
	})
	if err != nil {
		return Rollout{}, err
	}
	nudge(m.stir)
	return m.Rollout(ctx, ask.License, release.Module, id)
}

func (m *Manager) auditRollout(ctx context.Context, q *pg.Queries, by By, action string, row pg.ModuleRollout) error {
	by.Action, by.License, by.TargetKind, by.TargetID = action, &row.LicenseID, "rollout", row.ID.String()
	by.Details = map[string]any{"module": row.Module, "version": row.Version}
	return audit.Write(ctx, q, m.now(), by)
}

// Rollout gives one with its servers. It fails with ErrNoRollout.
func (m *Manager) Rollout(ctx context.Context, license uuid.UUID, module string, id uuid.UUID) (Rollout, error) {
	row, err := m.store.Queries().FindRollout(ctx, pg.FindRolloutParams{LicenseID: license, Module: module, ID: id})
	if store.Missing(err) {
		return Rollout{}, ErrNoRollout
	}
	if err != nil {
		return Rollout{}, fmt.Errorf("read rollout: %w", err)
	}
	r, err := rolloutOf(row)
	if err != nil {
		return r, err
	}
	servers, err := m.store.Queries().RolloutServers(ctx, id)
	if err != nil {
		return r, fmt.Errorf("read servers of the rollout: %w", err)
	}
	for _, s := range servers {
		text := s.Error
		if text == "" {
			text = s.InstallationError
		}
		r.Servers = append(r.Servers, RolloutServer{
			Server: s.ServerID, Batch: int(s.Batch), Installation: s.InstallationID, Status: Status(s.Status), Error: text,
			Undo: s.UndoID, UndoStatus: Status(s.UndoStatus),
		})
	}
	return r, nil
}

// Rollouts gives a license's rollouts of a module, the newest first, without their servers.
func (m *Manager) Rollouts(ctx context.Context, license uuid.UUID, module string) ([]Rollout, error) {
	rows, err := m.store.Queries().ListRollouts(ctx, pg.ListRolloutsParams{LicenseID: license, Module: module})
	if err != nil {
		return nil, fmt.Errorf("list rollouts: %w", err)
	}
	list := []Rollout{}
	for _, row := range rows {
		r, err := rolloutOf(row)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func rolloutOf(row pg.ModuleRollout) (Rollout, error) {
	r := Rollout{
		ID: row.ID, License: row.LicenseID, Module: row.Module, Version: row.Version, Status: RolloutStatus(row.Status),
		BatchSize: int(row.BatchSize), Pause: time.Duration(row.PauseS) * time.Second, MaxFailures: int(row.MaxFailures),
		Batch: int(row.Batch), Reason: row.Reason, Actor: row.Actor, Created: row.CreatedAt, Updated: row.UpdatedAt,
	}
	if row.Guard != nil {
		r.Guard = &Guard{}
		if err := json.Unmarshal(row.Guard, r.Guard); err != nil {
			return r, fmt.Errorf("read guard: %w", err)
		}
	}
	return r, nil
}

// Verb is what may be asked of a rollout.
type Verb string

// The verbs. Cancel asks for no more servers and leaves what is installed; rollback takes everything back.
const (
	Pause  Verb = "pause"
	Resume Verb = "resume"
	Cancel Verb = "cancel"
	Revert Verb = "rollback"
)

// steer gives the status that a verb leads to.
func steer(from RolloutStatus, verb Verb) (RolloutStatus, error) {
	switch {
	case verb == Pause && from == Running:
		return Paused, nil
	case verb == Resume && from == Paused:
		return Running, nil
	case verb == Cancel && (from == Running || from == Paused):
		return Withdrawn, nil
	case verb == Revert && from != RollingBack && from != RolledBack:
		return RollingBack, nil
	}
	return from, fmt.Errorf("%w: a rollout that is %s", ErrIllegal, from)
}

// Steer does what is asked of a rollout. It fails with ErrNoRollout, ErrIllegal or ErrRolloutOpen.
func (m *Manager) Steer(ctx context.Context, license uuid.UUID, module string, id uuid.UUID, verb Verb, by By) (Rollout, error) {
	if _, err := m.Rollout(ctx, license, module, id); err != nil {
		return Rollout{}, err
	}
	err := m.store.Tx(ctx, func(q *pg.Queries) error {
		row, err := q.LockRollout(ctx, id)
		if err != nil {
			return fmt.Errorf("read rollout: %w", err)
		}
		next, err := steer(RolloutStatus(row.Status), verb)
		if err != nil {
			return err
		}
		reason := row.Reason
		if verb != Resume {
			reason = string(verb) + " asked by " + by.Actor
		}
		err = q.WriteRollout(ctx, pg.WriteRolloutParams{
			ID: id, Status: string(next), Batch: row.Batch, BatchDoneAt: row.BatchDoneAt, Reason: audit.Clip(reason, 1000),
			NextAt: m.now(), UpdatedAt: m.now(),
		})
		if store.Taken(err) {
			return ErrRolloutOpen
		}
		if err != nil {
			return fmt.Errorf("write rollout: %w", err)
		}
		return m.auditRollout(ctx, q, by, "rollout."+string(verb), row)
	})
	if err != nil {
		return Rollout{}, err
	}
	nudge(m.stir)
	return m.Rollout(ctx, license, module, id)
}
