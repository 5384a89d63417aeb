package module

import (
	"bytes"
	"context"
	_ "embed" // the seed's files
	"encoding/json"
	"fmt"

	"github.com/shopspring/decimal"

	"corrosion/schema/pg"
)

//go:embed seed/LootManager.cs
var lootManager []byte

//go:embed seed/loot-manager.md
var lootManagerText string

// SeedSlug is the module that every installation begins with.
const SeedSlug = "loot-manager"

// Seed puts the first module into the catalogue, unless it is there, whatever has become of it; and its file into the
// store of this process.
func (c *Catalogue) Seed(ctx context.Context) error {
	stored, err := c.deps.Files.Put(bytes.NewReader(lootManager))
	if err != nil {
		return fmt.Errorf("seed modules: %w", err)
	}
	page, oldest := "https://umod.org/documentation/games/rust", "2500"
	games, err := json.Marshal([]Game{{Game: "rust", MinVersion: &oldest}})
	if err != nil {
		return fmt.Errorf("seed modules: %w", err)
	}
	now := c.deps.Now()
	err = c.deps.Store.Tx(ctx, func(q *pg.Queries) error {
		made, err := q.CreateModuleIfNew(ctx, pg.CreateModuleIfNewParams{
			Slug: SeedSlug, Name: "Loot Manager", Description: lootManagerText, Price: decimal.New(999, -2), Currency: "USD",
			Features: []string{
				"Multiplies the loot of crates and barrels, by container and by item",
				"Keeps items out of loot altogether",
				"Refills containers on a schedule that rests while the server is full",
				"Shows what it did with one console command",
			},
			PluginUrl: &page, Publisher: "Corrosion", Category: "economy", Icon: "package-variant", Compatible: games, Now: now,
		})
		if err != nil || made == 0 {
			return err
		}
		if _, err := q.CreateModuleVersion(ctx, pg.CreateModuleVersionParams{
			Module: SeedSlug, Version: "1.0.0", File: "LootManager.cs", Sha256: stored.SHA256, Size: stored.Size, Changelog: "The first version.", Now: now,
		}); err != nil {
			return err
		}
		if _, err := q.PublishModuleVersion(ctx, pg.PublishModuleVersionParams{Module: SeedSlug, Version: "1.0.0", Now: now}); err != nil {
			return err
		}
		return note(ctx, q, now, By{Actor: "seed"}, "module.created", SeedSlug, nil)
	})
	if err != nil {
		return fmt.Errorf("seed modules: %w", err)
	}
	return nil
}
