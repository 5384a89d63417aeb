package module

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"corrosion/schema/pg"
)

// SortKeys are what a list can be sorted by, the default first.
func SortKeys() []string { return []string{"name", "price", "published_at", "updated_at"} }

// ListRequest asks for a page of the catalogue. License uuid.Nil sees everything, as administrators do.
type ListRequest struct {
	License uuid.UUID
	// Search is looked for in slug, name, publisher, description and features, whatever the case.
	Search string
	// Category, Game and Status narrow the list; empty = any.
	Category, Game string
	Status         Status
	// Owned and Installed narrow it to what the license has (true) or does not have (false).
	Owned, Installed *bool
	// Sort is one of SortKeys, with a minus before it from the highest down.
	Sort   string
	Limit  int
	Cursor string
}

// CataloguePage is a page of the catalogue.
type CataloguePage struct {
	Modules []*Module `json:"modules"`
	Total   int       `json:"total" doc:"How many modules there are over all pages"`
	Next    *string   `json:"next" doc:"The cursor of the next page; null on the last one"`
}

// place is where a page begins: behind the module of a slug, whose value of the sort key was key.
type place struct {
	Sort string `json:"s"`
	Key  string `json:"k"`
	Slug string `json:"m"`
}

// List gives a page. It fails with ErrCursor.
func (c *Catalogue) List(ctx context.Context, r ListRequest) (*CataloguePage, error) {
	seen, err := c.sight(ctx, r.License)
	if err != nil {
		return nil, err
	}
	rows, err := c.deps.Store.Queries().SearchModules(ctx, pg.SearchModulesParams{
		Search: r.Search, Category: r.Category, Game: r.Game, Status: string(r.Status),
	})
	if err != nil {
		return nil, fmt.Errorf("read modules: %w", err)
	}
	rows = slices.DeleteFunc(rows, func(m pg.Module) bool {
		return !seen.sees(m) || r.Owned != nil && seen.owned[m.Slug] != *r.Owned || r.Installed != nil && (len(seen.installed[m.Slug]) > 0) != *r.Installed
	})
	key, down := strings.CutPrefix(r.Sort, "-")
	slices.SortFunc(rows, func(a, b pg.Module) int { return order(placeOf(a, key, r.Sort), placeOf(b, key, r.Sort), key, down) })
	total := len(rows)
	if r.Cursor != "" {
		from, err := readPlace(r.Cursor)
		if err != nil || from.Sort != r.Sort {
			return nil, ErrCursor
		}
		rows = slices.DeleteFunc(rows, func(m pg.Module) bool { return order(placeOf(m, key, r.Sort), from, key, down) <= 0 })
	}
	list := &CataloguePage{Total: total}
	if len(rows) > r.Limit {
		rows = rows[:r.Limit]
		next := placeOf(rows[r.Limit-1], key, r.Sort).text()
		list.Next = &next
	}
	list.Modules, err = c.complete(ctx, rows, seen)
	return list, err
}

// placeOf is a module's place in a list that is sorted by key.
func placeOf(m pg.Module, key, sort string) place {
	p := place{Sort: sort, Slug: m.Slug}
	switch key {
	case "price":
		p.Key = m.Price.String()
	case "published_at":
		if m.PublishedAt != nil {
			p.Key = m.PublishedAt.UTC().Format(time.RFC3339Nano)
		}
	case "updated_at":
		p.Key = m.UpdatedAt.UTC().Format(time.RFC3339Nano)
	default:
		p.Key = strings.ToLower(m.Name)
	}
	return p
}

// order compares places by key, and equal ones by slug.
func order(a, b place, key string, down bool) int {
	by := compare(a.Key, b.Key, key)
	if down {
		by = -by
	}
	return cmp.Or(by, strings.Compare(a.Slug, b.Slug))
}

func compare(a, b, key string) int {
	switch key {
	case "price":
		x, _ := decimal.NewFromString(a) // both are ours or were checked by readPlace
		y, _ := decimal.NewFromString(b)
		return x.Cmp(y)
	case "published_at", "updated_at":
		x, _ := time.Parse(time.RFC3339Nano, a) // empty is before all
		y, _ := time.Parse(time.RFC3339Nano, b)
		return x.Compare(y)
	}
	return strings.Compare(a, b)
}

func (p place) text() string {
	raw, _ := json.Marshal(p) // strings can always be written
	return base64.RawURLEncoding.EncodeToString(raw)
}

// maxCursor bounds a cursor that is read, bytes.
const maxCursor = 1000

func readPlace(text string) (p place, err error) {
	if len(text) > maxCursor {
		return p, ErrCursor
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return p, ErrCursor
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, ErrCursor
	}
	return p, nil
}
