package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"corrosion/ingest"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// licenseBook looks licenses up in Postgres for the roles that must know them.
type licenseBook struct{ queries *pg.Queries }

// Standing tells whether a license exists, and its own quotas; a suspended one does: what it published before is still
// its own.
func (b licenseBook) Standing(ctx context.Context, id uuid.UUID) (ingest.Standing, error) {
	own, err := b.queries.FindLicenseQuotas(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return ingest.Standing{}, nil
	}
	if err != nil {
		return ingest.Standing{}, fmt.Errorf("look a license up: %w", err)
	}
	return ingest.Standing{Known: true, Quotas: schema.QuotaOverrides(own)}, nil
}

// quotaBook tells the API which quotas hold for a license.
type quotaBook struct {
	licenseBook
	defaults schema.Quotas
}

// Quotas are those that the ingester is told, where it has the same defaults.
func (b quotaBook) Quotas(ctx context.Context, id uuid.UUID) (schema.Quotas, error) {
	standing, err := b.Standing(ctx, id)
	return standing.Quotas.Over(b.defaults), err
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
