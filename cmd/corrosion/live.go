package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"corrosion/api/live"
	"corrosion/api/registry"
	"corrosion/schema/pg"
)

// startLive follows NATS for live streams until close; nil where no NATS is known.
func (r *roles) startLive(written *registry.Registry) (*live.Hub, error) {
	if r.NATSURL == "" {
		r.log.Warn("no NATS: live streams answer 503; give --nats-url")
		return nil, nil
	}
	hub, err := live.New(live.DefaultConfig(), live.Deps{
		NATSURL: r.NATSURL, Guard: liveGuard{r.book}, Seeder: live.NewStore(r.clickhouse), Book: liveBook(written),
		Registerer: r.registry, Logger: r.log,
	})
	if err != nil {
		return nil, err
	}
	r.onClose("live streams", func(context.Context) error { hub.Close(); return nil })
	return hub, nil
}

// liveBook is what live streams must know of what is written about servers.
func liveBook(written *registry.Registry) func(context.Context, uuid.UUID) (live.Book, error) {
	return func(ctx context.Context, license uuid.UUID) (live.Book, error) {
		book, err := written.Book(ctx, license)
		if err != nil {
			return live.Book{}, err
		}
		return live.NewBook(book.Registered, book.Archived, book.Expected), nil
	}
}

// liveGuard sends listeners away whose license or session has ended.
type liveGuard struct{ book licenseBook }

// License implements live.Guard.
func (g liveGuard) License(ctx context.Context, id uuid.UUID) (string, error) {
	license, known, err := g.book.find(ctx, id)
	switch {
	case err != nil:
		return "", err
	case !known:
		return live.EndedUnknown, nil
	case license.SuspendedAt != nil:
		return live.EndedSuspended, nil
	}
	return "", nil
}

// Ended implements live.Guard: a credential is a session or an API key.
func (g liveGuard) Ended(ctx context.Context, sessions []uuid.UUID) ([]uuid.UUID, error) {
	alive, err := g.book.queries.LiveSessions(ctx, pg.LiveSessionsParams{Ids: sessions, Now: time.Now()})
	if err != nil {
		return nil, fmt.Errorf("look sessions up: %w", err)
	}
	keys, err := g.book.queries.LiveAPIKeys(ctx, pg.LiveAPIKeysParams{Ids: sessions, Now: time.Now()})
	if err != nil {
		return nil, fmt.Errorf("look API keys up: %w", err)
	}
	alive = append(alive, keys...)
	return slices.DeleteFunc(slices.Clone(sessions), func(id uuid.UUID) bool { return slices.Contains(alive, id) }), nil
}
