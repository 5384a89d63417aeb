package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"corrosion/api/account"
	"corrosion/deploy/local"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// licenseBook looks licenses up in Postgres for the roles that must know them.
type licenseBook struct{ queries *pg.Queries }

// Known tells whether a license exists; a suspended one does: what it published before is still its own.
func (b licenseBook) Known(ctx context.Context, id uuid.UUID) (bool, error) {
	_, known, err := b.find(ctx, id)
	return known, err
}

func (b licenseBook) find(ctx context.Context, id uuid.UUID) (license pg.License, known bool, err error) {
	license, err = b.queries.FindLicense(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return license, false, nil
	}
	if err != nil {
		return license, false, fmt.Errorf("look a license up: %w", err)
	}
	return license, true, nil
}

// natsGate admits game servers to the local NATS; Postgres comes up beside it, so the book arrives later.
type natsGate struct{ queries atomic.Pointer[pg.Queries] }

// natsLookup bounds the look-up of one connecting user.
const natsLookup = 5 * time.Second

// check is the local NATS's question about each connection that is not the platform's.
func (g *natsGate) check(user, password string) (*local.Permissions, bool) {
	queries := g.queries.Load()
	if queries == nil {
		return nil, true // cannot tell yet: the client tries again
	}
	ctx, cancel := context.WithTimeout(context.Background(), natsLookup)
	defer cancel()
	license, ok, err := account.CheckNATSUser(ctx, queries, user, password)
	if err != nil {
		return nil, true
	}
	if !ok {
		return nil, false
	}
	return gameServerRights(license), true
}

// gameServerRights lets a license's game servers publish and hear their acknowledgements, nothing else.
func gameServerRights(license uuid.UUID) *local.Permissions {
	return &local.Permissions{
		PublishAllow:   []string{schema.StatsSubject(license), schema.ServerStatsSubject(license, "*"), schema.EventsSubject(license)},
		SubscribeAllow: []string{schema.ReplySubjects(license)},
	}
}
