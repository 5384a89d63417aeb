package installation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/command"
	"corrosion/schema/pg"
)

// Ask is a request to install a module.
type Ask struct {
	License uuid.UUID
	Server  string
	Module  string
	Version string // "" = the latest
	By      By
	// Key is the request's idempotency key; "" = none.
	Key     string
	Rollout *uuid.UUID
}

// maxNeeds bounds the modules that one installation may bring along.
const maxNeeds = 32

// Install asks for a module on a server: pending, until the server's agent has it. What it needs and is not there comes
// first. The same idempotency key gives the installation that is there. It fails with ErrNoModule, ErrNotOwned, ErrBusy,
// ErrInstalled, ErrKeyReused, ErrOverRange or a *NeedsError.
func (m *Manager) Install(ctx context.Context, ask Ask) (Installation, error) {
	var made Installation
	release, err := m.deps.Catalogue.Release(ctx, ask.Module, ask.Version)
	if err != nil {
		return made, err
	}
	err = m.store.Tx(ctx, func(q *pg.Queries) error {
		if err := q.LockServerModules(ctx, ask.License.String()+" "+ask.Server); err != nil {
			return fmt.Errorf("wait for the server's turn: %w", err)
		}
		known, repeated, err := m.repeated(ctx, q, ask, release)
		if err != nil || repeated {
			made = known
			return err
		}
		made, err = m.ask(ctx, q, ask, release)
		return err
	})
	if err != nil {
		return Installation{}, err
	}
	nudge(m.wake)
	return made, nil
}

// repeated finds what the same key has made.
func (m *Manager) repeated(ctx context.Context, q *pg.Queries, ask Ask, release Release) (Installation, bool, error) {
	if ask.Key == "" {
		return Installation{}, false, nil
	}
	row, err := q.FindInstallationByKey(ctx, pg.FindInstallationByKeyParams{LicenseID: ask.License, IdempotencyKey: ask.Key})
	switch {
	case store.Missing(err):
		return Installation{}, false, nil
	case err != nil:
		return Installation{}, false, fmt.Errorf("look for the key: %w", err)
	case row.ServerID != ask.Server || row.Module != release.Module || ask.Version != "" && row.Version != ask.Version:
		return Installation{}, false, ErrKeyReused
	}
	return installationOf(row), true, nil
}

// ask makes one installation, and those of what it needs. The caller has the server's lock.
func (m *Manager) ask(ctx context.Context, q *pg.Queries, ask Ask, release Release) (Installation, error) {
	var made Installation
	if err := m.owned(ctx, ask.License, release.Module); err != nil {
		return made, err
	}
	rows, err := q.ServerInstallations(ctx, pg.ServerInstallationsParams{LicenseID: ask.License, ServerID: ask.Server})
	if err != nil {
		return made, fmt.Errorf("read what is on the server: %w", err)
	}
	there := onServer(rows)
	p := plan{license: ask.License, there: there, catalogue: m.deps.Catalogue}
	if err := p.add(ctx, release); err != nil {
		return made, err
	}
	if len(p.missing) > 0 {
		slices.Sort(p.missing)
		return made, &NeedsError{slices.Compact(p.missing)}
	}
	ids := map[string]uuid.UUID{}
	for _, step := range p.steps { // what is needed first
		one := ask
		if step.Module != release.Module {
			one.Key = ""
		}
		if made, err = m.create(ctx, q, one, step, there, ids); err != nil {
			return made, err
		}
		ids[step.Module] = made.ID
	}
	return made, nil
}

func (m *Manager) owned(ctx context.Context, license uuid.UUID, module string) error {
	owned, err := m.deps.Catalogue.Owned(ctx, license, module)
	if err == nil && !owned {
		err = ErrNotOwned
	}
	return err
}

// presence is a module that is on a server, or on its way there or from there.
type presence struct{ open, installed *pg.ModuleInstallation }

func onServer(rows []pg.ModuleInstallation) map[string]presence {
	there := map[string]presence{}
	for i := range rows {
		p := there[rows[i].Module]
		if rows[i].Status == string(Installed) {
			p.installed = &rows[i]
		} else {
			p.open = &rows[i]
		}
		there[rows[i].Module] = p
	}
	return there
}

// satisfies tells whether what is there, or coming, is at least a version.
func (p presence) satisfies(least string) bool {
	if p.open != nil {
		return Goal(p.open.Goal) == Present && compareVersions(p.open.Version, least) >= 0
	}
	return p.installed != nil && compareVersions(p.installed.Version, least) >= 0
}

// plan orders what must be installed, what is needed first.
type plan struct {
	license   uuid.UUID
	there     map[string]presence
	catalogue Catalogue
	steps     []Release
	visiting  []string
	missing   []string
}

func (p *plan) add(ctx context.Context, r Release) error {
	now := p.there[r.Module]
	switch {
	case r.Size > command.MaxSize:
		return ErrOverRange
	case now.open != nil:
		return ErrBusy
	case now.installed != nil && now.installed.Version == r.Version:
		return ErrInstalled
	case len(p.steps)+len(p.visiting) >= maxNeeds:
		return fmt.Errorf("module %s needs more than %d others", r.Module, maxNeeds)
	}
	p.visiting = append(p.visiting, r.Module)
	for _, need := range r.Needs {
		if err := p.need(ctx, need); err != nil {
			return err
		}
	}
	p.visiting = p.visiting[:len(p.visiting)-1]
	p.steps = append(p.steps, r)
	return nil
}

func (p *plan) need(ctx context.Context, need Need) error {
	planned := slices.ContainsFunc(p.steps, func(r Release) bool { return r.Module == need.Module })
	if planned || p.there[need.Module].satisfies(need.MinVersion) || slices.Contains(p.visiting, need.Module) {
		return nil
	}
	owned, err := p.catalogue.Owned(ctx, p.license, need.Module)
	if err != nil {
		return err
	}
	if !owned {
		p.missing = append(p.missing, need.Module)
		return nil
	}
	release, err := p.catalogue.Release(ctx, need.Module, "")
	if err != nil {
		return fmt.Errorf("read the module %s that is needed: %w", need.Module, err)
	}
	if compareVersions(release.Version, need.MinVersion) < 0 {
		return fmt.Errorf("%w: %s %s, which is needed", ErrNoModule, need.Module, need.MinVersion)
	}
	return p.add(ctx, release)
}

// create writes one installation down.
func (m *Manager) create(ctx context.Context, q *pg.Queries, ask Ask, r Release, there map[string]presence, made map[string]uuid.UUID) (Installation, error) {
	now := m.now()
	fresh := Asked(now, m.cfg.Policy)
	params := pg.CreateInstallationParams{
		ID: uuid.Must(uuid.NewV7()), LicenseID: ask.License, ServerID: ask.Server, Module: r.Module, Version: r.Version, File: r.File,
		Sha256: r.SHA256, Size: r.Size, Needs: waitsFor(r, there, made), RolloutID: ask.Rollout, Now: &now, Deadline: fresh.Deadline,
	}
	if old := there[r.Module].installed; old != nil {
		params.Replaces = &old.ID
	}
	if ask.Key != "" {
		params.IdempotencyKey = &ask.Key
	}
	row, err := q.CreateInstallation(ctx, params)
	if store.Taken(err) {
		return Installation{}, ErrBusy
	}
	if err != nil {
		return Installation{}, fmt.Errorf("create installation: %w", err)
	}
	if err := m.note(ctx, q, row.ID, 1, nil, Pending, "", ask.By.Actor); err != nil {
		return Installation{}, err
	}
	return installationOf(row), m.audit(ctx, q, ask.By, "installation.asked", row)
}

// waitsFor are the installations that must be installed before a release is sent.
func waitsFor(r Release, there map[string]presence, made map[string]uuid.UUID) []uuid.UUID {
	ids := []uuid.UUID{}
	for _, need := range r.Needs {
		if id, ok := made[need.Module]; ok {
			ids = append(ids, id)
		} else if open := there[need.Module].open; open != nil {
			ids = append(ids, open.ID)
		}
	}
	return ids
}

func (m *Manager) audit(ctx context.Context, q *pg.Queries, by By, action string, row pg.ModuleInstallation) error {
	if by.Actor == "" && by.ActorID == nil {
		return nil // the platform's own doing stands in the history
	}
	by.Action, by.License, by.TargetKind, by.TargetID = action, &row.LicenseID, "installation", row.ID.String()
	by.Details = map[string]any{"module": row.Module, "version": row.Version, "server_id": row.ServerID}
	return audit.Write(ctx, q, m.now(), by)
}

// compareVersions orders versions of numbers and points; what is no number counts as 0.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if d := part(as, i) - part(bs, i); d != 0 {
			return d
		}
	}
	return 0
}

func part(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, _ := strconv.Atoi(parts[i])
	return n
}
