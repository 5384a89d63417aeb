package module

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// By is who changes the catalogue, for the audit.
type By = audit.Event

// Create adds a module as a draft. It fails with ErrExists or ErrFull.
func (c *Catalogue) Create(ctx context.Context, by By, slug string, s Settings) (*Module, error) {
	now := c.deps.Now()
	err := c.deps.Store.Tx(ctx, func(q *pg.Queries) error {
		if err := q.LockThing(ctx, "modules"); err != nil {
			return fmt.Errorf("wait for other changes: %w", err)
		}
		count, err := q.CountModules(ctx)
		if err != nil {
			return fmt.Errorf("count modules: %w", err)
		}
		if count >= MaxModules {
			return ErrFull
		}
		games, err := json.Marshal(s.games())
		if err != nil {
			return fmt.Errorf("write games: %w", err)
		}
		_, err = q.CreateModule(ctx, pg.CreateModuleParams{
			Slug: slug, Name: s.Name, Description: s.Description, Features: s.features(), Price: s.Price.Decimal, Currency: s.Currency,
			PluginUrl: s.PluginURL, Publisher: s.Publisher, Category: s.Category, Icon: s.Icon, Compatible: games, Now: now,
		})
		if store.Taken(err) {
			return ErrExists
		}
		if err != nil {
			return fmt.Errorf("store module: %w", err)
		}
		return note(ctx, q, now, by, "module.created", slug, map[string]any{"price": s.Price, "currency": s.Currency})
	})
	if err != nil {
		return nil, err
	}
	return c.Find(ctx, uuid.Nil, slug)
}

func (s Settings) games() []Game { return append([]Game{}, s.Compatible...) }

func (s Settings) features() []string { return append([]string{}, s.Features...) }

func note(ctx context.Context, q *pg.Queries, now time.Time, by By, action, slug string, details map[string]any) error {
	by, err := audit.Named(ctx, q, by)
	if err != nil {
		return err
	}
	by.Action, by.TargetKind, by.TargetID, by.Details = action, "module", slug, details
	return audit.Write(ctx, q, now, by)
}

// Change writes what change makes of what is said about a module; what change fails with is returned as it is. change may
// run several times. Purchases that are made keep the price of their day.
func (c *Catalogue) Change(ctx context.Context, by By, slug string, change func(before *Module) (Settings, error)) (*Module, error) {
	return c.locked(ctx, slug, func(q *pg.Queries, before *Module, now time.Time) error {
		s, err := change(before)
		if err != nil {
			return err
		}
		games, err := json.Marshal(s.games())
		if err != nil {
			return fmt.Errorf("write games: %w", err)
		}
		_, err = q.ChangeModule(ctx, pg.ChangeModuleParams{
			Slug: slug, Name: s.Name, Description: s.Description, Features: s.features(), Price: s.Price.Decimal, Currency: s.Currency,
			PluginUrl: s.PluginURL, Publisher: s.Publisher, Category: s.Category, Icon: s.Icon, Compatible: games, Now: now,
		})
		if err != nil {
			return fmt.Errorf("store module: %w", err)
		}
		details := map[string]any{}
		if !s.Price.Equal(before.Price.Decimal) || s.Currency != before.Currency {
			details["price"] = []string{before.Price.String() + " " + before.Currency, s.Price.String() + " " + s.Currency}
		}
		return note(ctx, q, now, by, "module.changed", slug, details)
	})
}

// locked runs do in a transaction that no other change of the module runs beside, and gives what became of the module.
func (c *Catalogue) locked(ctx context.Context, slug string, do func(*pg.Queries, *Module, time.Time) error) (*Module, error) {
	now := c.deps.Now()
	err := c.deps.Store.Tx(ctx, func(q *pg.Queries) error {
		row, err := q.LockModule(ctx, slug)
		if store.Missing(err) {
			return ErrUnknown
		}
		if err != nil {
			return fmt.Errorf("read module: %w", err)
		}
		before, err := moduleOf(row)
		if err != nil {
			return err
		}
		return do(q, before, now)
	})
	if err != nil {
		return nil, err
	}
	return c.Find(ctx, uuid.Nil, slug)
}

// Publish lets licenses see and buy a module. check sees it first; it fails with ErrNoVersion where none is published.
func (c *Catalogue) Publish(ctx context.Context, by By, slug string, check func(*Module) error) (*Module, error) {
	return c.locked(ctx, slug, func(q *pg.Queries, before *Module, now time.Time) error {
		if err := check(before); err != nil {
			return err
		}
		if _, err := q.LatestModuleVersion(ctx, slug); store.Missing(err) {
			return ErrNoVersion
		} else if err != nil {
			return fmt.Errorf("look for versions: %w", err)
		}
		if _, err := q.PublishModule(ctx, pg.PublishModuleParams{Slug: slug, Now: now}); err != nil {
			return fmt.Errorf("publish module: %w", err)
		}
		return note(ctx, q, now, by, "module.published", slug, nil)
	})
}

// Deprecate ends the sale of a module; who owns it keeps it.
func (c *Catalogue) Deprecate(ctx context.Context, by By, slug string, check func(*Module) error) (*Module, error) {
	return c.locked(ctx, slug, func(q *pg.Queries, before *Module, now time.Time) error {
		if err := check(before); err != nil {
			return err
		}
		if _, err := q.DeprecateModule(ctx, pg.DeprecateModuleParams{Slug: slug, Now: now}); err != nil {
			return fmt.Errorf("deprecate module: %w", err)
		}
		return note(ctx, q, now, by, "module.deprecated", slug, nil)
	})
}

// NewVersion is a version to be added.
type NewVersion struct {
	Version, File, Changelog string
	Dependencies             []Dependency
	// Content is the file; nil where it lies elsewhere, and SourceURL, SHA256 and Size say where and what it is.
	Content   io.Reader
	SourceURL *string
	SHA256    string
	Size      int64
}

// AddVersion adds a version as a draft, and its file to the store. It fails with ErrUnknown, ErrExists, ErrFull, ErrCycle,
// ErrTooLarge, ErrEmpty or a *NeedError.
func (c *Catalogue) AddVersion(ctx context.Context, by By, slug string, v NewVersion) (*Module, error) {
	if v.Content != nil {
		stored, err := c.deps.Files.Put(v.Content)
		if err != nil {
			return nil, err
		}
		v.SHA256, v.Size, v.SourceURL = stored.SHA256, stored.Size, nil
	}
	return c.locked(ctx, slug, func(q *pg.Queries, _ *Module, now time.Time) error {
		// One at a time over all modules, so that two cannot come to need each other at once.
		if err := q.LockThing(ctx, "module dependencies"); err != nil {
			return fmt.Errorf("wait for other versions: %w", err)
		}
		count, err := q.CountModuleVersions(ctx, slug)
		if err != nil {
			return fmt.Errorf("count versions: %w", err)
		}
		if count >= MaxVersions {
			return ErrFull
		}
		_, err = q.CreateModuleVersion(ctx, pg.CreateModuleVersionParams{
			Module: slug, Version: v.Version, File: v.File, Sha256: v.SHA256, Size: v.Size, SourceUrl: v.SourceURL, Changelog: v.Changelog, Now: now,
		})
		if store.Taken(err) {
			return ErrExists
		}
		if err != nil {
			return fmt.Errorf("store version: %w", err)
		}
		if err := addNeeds(ctx, q, slug, v); err != nil {
			return err
		}
		if err := q.TouchModule(ctx, pg.TouchModuleParams{Slug: slug, Now: now}); err != nil {
			return fmt.Errorf("note change: %w", err)
		}
		return note(ctx, q, now, by, "module.version-added", slug, map[string]any{"version": v.Version, "sha256": v.SHA256, "size": v.Size})
	})
}

// NeedError says that a module that a version would need does not exist.
type NeedError struct{ Module string }

// Error names the module.
func (e *NeedError) Error() string { return "needs " + e.Module + ", which is not in the catalogue" }

func addNeeds(ctx context.Context, q *pg.Queries, slug string, v NewVersion) error {
	for _, need := range v.Dependencies {
		if need.Module == slug {
			return ErrCycle
		}
		if _, err := q.FindModule(ctx, need.Module); store.Missing(err) {
			return &NeedError{need.Module}
		} else if err != nil {
			return fmt.Errorf("look for what is needed: %w", err)
		}
		back, err := q.ModuleNeeds(ctx, pg.ModuleNeedsParams{Module: need.Module, Other: slug})
		if err != nil {
			return fmt.Errorf("look for cycles: %w", err)
		}
		if back {
			return ErrCycle
		}
		err = q.AddModuleDependency(ctx, pg.AddModuleDependencyParams{Module: slug, Version: v.Version, DependsOn: need.Module, MinVersion: need.MinVersion})
		if err != nil {
			return fmt.Errorf("store dependency: %w", err)
		}
	}
	return nil
}

// SetVersion publishes or deprecates a version.
func (c *Catalogue) SetVersion(ctx context.Context, by By, slug, version string, to Status) (*Module, error) {
	return c.locked(ctx, slug, func(q *pg.Queries, before *Module, now time.Time) error {
		var rows int64
		var err error
		if to == Published {
			rows, err = q.PublishModuleVersion(ctx, pg.PublishModuleVersionParams{Module: slug, Version: version, Now: now})
		} else {
			rows, err = q.DeprecateModuleVersion(ctx, pg.DeprecateModuleVersionParams{Module: slug, Version: version, Now: now})
		}
		if err != nil {
			return fmt.Errorf("set version: %w", err)
		}
		if rows == 0 {
			return ErrUnknown
		}
		if err := keepsOne(ctx, q, before); err != nil {
			return err
		}
		if err := q.TouchModule(ctx, pg.TouchModuleParams{Slug: slug, Now: now}); err != nil {
			return fmt.Errorf("note change: %w", err)
		}
		return note(ctx, q, now, by, "module.version-"+string(to), slug, map[string]any{"version": version})
	})
}

// keepsOne refuses to leave a module that is sold without a version.
func keepsOne(ctx context.Context, q *pg.Queries, m *Module) error {
	if m.Status != Published {
		return nil
	}
	if _, err := q.LatestModuleVersion(ctx, m.Slug); store.Missing(err) {
		return ErrNoVersion
	} else if err != nil {
		return fmt.Errorf("look for versions: %w", err)
	}
	return nil
}
