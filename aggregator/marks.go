package aggregator

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// reading is what a server measured around a restart; nil was not measured.
type reading struct {
	Entities, Sleepers *float64
	Seed               *float64
	Map                string
}

// restart is a pair of neighbouring samples between which a server started anew: its boot changed or its uptime fell.
type restart struct {
	License  uuid.UUID
	ServerID string
	// At is when the first sample after it was measured, Last when the last one before it was; ms since the epoch.
	At, Last int64
	Boot     string
	UptimeS  *float64
	// Before is what was measured last in the half hour before, After the most that was measured in the ten minutes
	// after: a world that is still loading has less than it will have.
	Before, After reading
}

// Shares of what was there before that a wipe leaves at most. A new world has as many entities as an old one had when
// it was new, but nobody sleeps in it yet.
const (
	wipedSleepers = 0.1
	wipedEntities = 0.9
	// wipedAlone counts where nobody counts sleepers.
	wipedAlone = 0.5
	// fewest are the sleepers and entities below which a fall says nothing.
	fewestSleepers, fewestEntities = 10, 1000
)

// wiped tells whether a restart began a new world: the seed changed, or the sleepers are gone and the entities fell, or,
// where sleepers are not measured, half of the entities are gone.
func (r *restart) wiped() bool {
	if known(r.Before.Seed, r.After.Seed) && *r.Before.Seed != *r.After.Seed {
		return true
	}
	b, a := r.Before, r.After
	if known(b.Sleepers, a.Sleepers) {
		gone := *b.Sleepers >= fewestSleepers && *a.Sleepers <= wipedSleepers**b.Sleepers
		return gone && (!known(b.Entities, a.Entities) || *a.Entities <= wipedEntities**b.Entities)
	}
	return known(b.Entities, a.Entities) && *b.Entities >= fewestEntities && *a.Entities <= wipedAlone**b.Entities
}

func known(a, b *float64) bool { return a != nil && b != nil }

// marks are the marks of one restart: itself, and where they are seen a change of the map and a wipe. It is pure, and the
// ids are made of what the samples say, so that looking again finds the same marks.
func (r *restart) marks() []schema.Event {
	silence := (time.Duration(r.At-r.Last) * time.Millisecond).Round(time.Second)
	marks := []schema.Event{r.mark(schema.Restart, "Restart", fmt.Sprintf("First heard again after %s.", silence),
		map[string]any{"boot": text(r.Boot), "uptime_s": r.UptimeS, "silent_s": silence.Seconds()})}
	if r.Before.Map != "" && r.After.Map != "" && r.Before.Map != r.After.Map {
		title := clipped("Map: " + r.After.Map)
		marks = append(marks, r.mark(schema.MapChange, title, "Before: "+r.Before.Map+".", map[string]any{"before": r.Before.Map, "after": r.After.Map}))
	}
	if r.wiped() {
		marks = append(marks, r.mark(schema.Wipe, "Wipe", "Seen in what the server measured before and after a restart.", map[string]any{
			"sleepers_before": r.Before.Sleepers, "sleepers_after": r.After.Sleepers, "entities_before": r.Before.Entities,
			"entities_after": r.After.Entities, "seed_before": r.Before.Seed, "seed_after": r.After.Seed,
		}))
	}
	return marks
}

func (r *restart) mark(kind schema.EventKind, title, words string, data map[string]any) schema.Event {
	for name, value := range data {
		if v, number := value.(*float64); value == nil || number && v == nil {
			delete(data, name)
		}
	}
	document, _ := json.Marshal(data) // words and finite numbers
	return schema.Event{
		License: r.License, ID: schema.EventIDFromSamples(r.License, r.ServerID, kind, r.At), ServerID: r.ServerID, TS: r.At,
		Kind: kind, Title: title, Text: words, Data: string(document), Source: schema.FromSamples, Version: schema.EventCreated,
	}
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// clipped keeps within the bound of titles; maps' names are of at most schema.MaxTextLen bytes.
func clipped(title string) string {
	return strings.ToValidUTF8(title[:min(len(title), schema.MaxEventTitle)], "")
}

// reconcile gives the rows that make the marks that stand those that are wanted. What a person deleted stays deleted; a
// mark that is not wanted any more is withdrawn where withdraw allows it, and may come back.
func reconcile(wanted, stored []schema.Event, withdraw func(*schema.Event) bool, now int64) (rows []schema.Event) {
	before := make(map[uuid.UUID]*schema.Event, len(stored))
	for i := range stored {
		before[stored[i].ID] = &stored[i]
	}
	write := func(e schema.Event, version uint32) {
		e.Version, e.ReceivedAt = version, now
		rows = append(rows, e)
	}
	for _, e := range wanted {
		old := before[e.ID]
		delete(before, e.ID)
		switch {
		case old == nil:
			write(e, schema.EventCreated)
		case old.Version == schema.EventDeleted:
		case old.Deleted, old.Title != e.Title, old.Text != e.Text, old.Data != e.Data:
			write(e, old.Version+1)
		}
	}
	for i := range stored {
		if old, left := before[stored[i].ID]; left && !old.Deleted && withdraw(old) {
			gone := *old
			gone.Deleted = true
			write(gone, old.Version+1)
		}
	}
	return rows
}
