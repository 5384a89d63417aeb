package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/payment"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Deps are what a Catalogue works with. Store, Files and Keys are required.
type Deps struct {
	Store *store.Store
	Files *Files
	// Keys seal links.
	Keys *auth.Keys
	// PublicURL is where agents reach the platform; it stands in links.
	PublicURL string
	// Installed tells on which servers of a license each module is installed; nil = on none.
	Installed func(ctx context.Context, license uuid.UUID) (map[string][]string, error)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Catalogue is the catalogue. It is safe for concurrent use.
type Catalogue struct{ deps Deps }

// New makes a Catalogue; what stands in deps stays the caller's.
func New(deps Deps) (*Catalogue, error) {
	if deps.Store == nil || deps.Files == nil || deps.Keys == nil {
		return nil, errors.New("module catalogue: Store, Files and Keys are required")
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Installed == nil {
		deps.Installed = func(context.Context, uuid.UUID) (map[string][]string, error) { return nil, nil }
	}
	return &Catalogue{deps: deps}, nil
}

// Find gives one module with its versions, as a license sees it: no drafts, and what is not sold any more only where it
// is owned. uuid.Nil sees everything, as administrators do. It fails with ErrUnknown.
func (c *Catalogue) Find(ctx context.Context, license uuid.UUID, slug string) (*Module, error) {
	row, err := c.deps.Store.Queries().FindModule(ctx, slug)
	if store.Missing(err) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	seen, err := c.sight(ctx, license)
	if err != nil {
		return nil, err
	}
	if !seen.sees(row) {
		return nil, ErrUnknown
	}
	modules, err := c.complete(ctx, []pg.Module{row}, seen)
	if err != nil {
		return nil, err
	}
	m := modules[0]
	m.Versions, err = c.versions(ctx, slug, license == uuid.Nil)
	return m, err
}

// sight is what a license sees of the catalogue beside what all see.
type sight struct {
	admin     bool
	owned     map[string]bool
	installed map[string][]string
}

func (s sight) sees(m pg.Module) bool {
	return s.admin || m.Status == string(Published) || m.Status == string(Deprecated) && s.owned[m.Slug]
}

func (c *Catalogue) sight(ctx context.Context, license uuid.UUID) (sight, error) {
	if license == uuid.Nil {
		return sight{admin: true}, nil
	}
	slugs, err := c.deps.Store.Queries().OwnedModules(ctx, license)
	if err != nil {
		return sight{}, fmt.Errorf("read owned modules: %w", err)
	}
	s := sight{owned: map[string]bool{}}
	for _, slug := range slugs {
		s.owned[slug] = true
	}
	if s.installed, err = c.deps.Installed(ctx, license); err != nil {
		return sight{}, fmt.Errorf("read installed modules: %w", err)
	}
	return s, nil
}

// complete makes modules of rows: with their latest versions, what those need, and what the asker has of them.
func (c *Catalogue) complete(ctx context.Context, rows []pg.Module, seen sight) ([]*Module, error) {
	slugs, modules := make([]string, len(rows)), make([]*Module, len(rows))
	bySlug := make(map[string]*Module, len(rows))
	for i, row := range rows {
		m, err := moduleOf(row)
		if err != nil {
			return nil, err
		}
		m.Owned, m.InstalledOn = seen.owned[row.Slug], append([]string{}, seen.installed[row.Slug]...)
		slugs[i], modules[i], bySlug[row.Slug] = row.Slug, m, m
	}
	latest, err := c.deps.Store.Queries().LatestModuleVersions(ctx, slugs)
	if err != nil {
		return nil, fmt.Errorf("read latest versions: %w", err)
	}
	for _, v := range latest {
		bySlug[v.Module].Version = &v.Version
	}
	needs, err := c.deps.Store.Queries().LatestModuleDependencies(ctx, slugs)
	if err != nil {
		return nil, fmt.Errorf("read dependencies: %w", err)
	}
	for _, n := range needs {
		m := bySlug[n.Module]
		m.Dependencies = append(m.Dependencies, Dependency{n.DependsOn, n.MinVersion})
	}
	return modules, nil
}

func moduleOf(row pg.Module) (*Module, error) {
	m := &Module{
		Slug: row.Slug, Status: Status(row.Status), Dependencies: []Dependency{}, revision: row.Revision,
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(), PublishedAt: utc(row.PublishedAt), DeprecatedAt: utc(row.DeprecatedAt),
		Settings: Settings{
			Name: row.Name, Description: row.Description, Features: row.Features, Price: payment.Amount{Decimal: row.Price}, Currency: row.Currency,
			PluginURL: row.PluginUrl, Publisher: row.Publisher, Category: row.Category, Icon: row.Icon, Compatible: []Game{},
		},
	}
	if m.Features == nil {
		m.Features = []string{}
	}
	if err := json.Unmarshal(row.Compatible, &m.Compatible); err != nil {
		return nil, fmt.Errorf("read the games of module %s: %w", row.Slug, err)
	}
	return m, nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	in := t.UTC()
	return &in
}

// versions are those of a module, the highest first; drafts only for administrators.
func (c *Catalogue) versions(ctx context.Context, slug string, drafts bool) ([]Version, error) {
	q := c.deps.Store.Queries()
	rows, err := q.ListModuleVersions(ctx, slug)
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", err)
	}
	needs, err := q.ListAllModuleDependencies(ctx, slug)
	if err != nil {
		return nil, fmt.Errorf("read dependencies: %w", err)
	}
	versions := []Version{}
	for _, row := range rows {
		if !drafts && row.Status == string(Draft) {
			continue
		}
		v := versionOf(row)
		for _, n := range needs {
			if n.Version == row.Version {
				v.Dependencies = append(v.Dependencies, Dependency{n.DependsOn, n.MinVersion})
			}
		}
		versions = append(versions, v)
	}
	return versions, nil
}

func versionOf(row pg.ModuleVersion) Version {
	return Version{
		Module: row.Module, Version: row.Version, File: row.File, SHA256: row.Sha256, Size: row.Size, SourceURL: row.SourceUrl,
		Changelog: row.Changelog, Status: Status(row.Status), Dependencies: []Dependency{},
		CreatedAt: row.CreatedAt.UTC(), PublishedAt: utc(row.PublishedAt), DeprecatedAt: utc(row.DeprecatedAt),
	}
}

// Version gives a version that may be installed: by its number, or the latest where that is empty. It fails with
// ErrUnknown.
func (c *Catalogue) Version(ctx context.Context, slug, number string) (Version, error) {
	q := c.deps.Store.Queries()
	row, err := q.LatestModuleVersion(ctx, slug)
	if number != "" {
		row, err = q.FindModuleVersion(ctx, pg.FindModuleVersionParams{Module: slug, Version: number})
	}
	if store.Missing(err) || err == nil && row.Status == string(Draft) {
		return Version{}, ErrUnknown
	}
	if err != nil {
		return Version{}, fmt.Errorf("read version: %w", err)
	}
	v := versionOf(row)
	needs, err := q.ListModuleDependencies(ctx, pg.ListModuleDependenciesParams{Module: slug, Version: row.Version})
	if err != nil {
		return Version{}, fmt.Errorf("read dependencies: %w", err)
	}
	for _, n := range needs {
		v.Dependencies = append(v.Dependencies, Dependency{n.DependsOn, n.MinVersion})
	}
	return v, nil
}

// Owned tells whether a license owns a module.
func (c *Catalogue) Owned(ctx context.Context, license uuid.UUID, slug string) (bool, error) {
	owned, err := c.deps.Store.Queries().OwnsModule(ctx, pg.OwnsModuleParams{LicenseID: license, Module: slug})
	if err != nil {
		return false, fmt.Errorf("look for ownership: %w", err)
	}
	return owned, nil
}

// OpenFile gives the file of a version, which the caller closes.
func (c *Catalogue) OpenFile(v Version) (*os.File, error) {
	return c.deps.Files.Open(Stored{v.SHA256, v.Size})
}

// Tag is what a change of the module names with If-Match.
func (m *Module) Tag() string { return fmt.Sprintf("%s-%d", m.Slug, m.revision) }
