package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"corrosion/api/auth"
	"corrosion/schema/connect/stores"
	"corrosion/schema/pg"
)

type tokenCommand struct {
	services
	jwtKeys
	License string        `required:"" help:"The license that the token speaks for."`
	Role    string        `default:"viewer" enum:"owner,admin,viewer" help:"What it may do: ${enum}."`
	TTL     time.Duration `name:"ttl" default:"1h" help:"How long it is valid."`
}

// Run prints a bearer token.
func (c *tokenCommand) Run(e *env) error {
	license, err := uuid.Parse(c.License)
	if err != nil {
		return fmt.Errorf("--license %q is not a UUID", c.License)
	}
	if err := c.find(); err != nil {
		return err
	}
	if c.PostgresURL != "" {
		if err := licenseExists(e.ctx, c.PostgresURL, license); err != nil {
			return err
		}
	}
	keys, err := auth.LoadOrCreateKeys(c.path(c.Data))
	if err != nil {
		return err
	}
	token, err := keys.Issue(auth.Identity{Subject: "script", License: license, Role: auth.Role(c.Role)}, time.Now(), c.TTL)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, token)
	return nil
}

func licenseExists(ctx context.Context, postgresURL string, license uuid.UUID) error {
	pool, err := stores.PostgresPool(ctx, postgresURL, nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = pg.New(pool).FindLicense(ctx, license)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("there is no license %s: `corrosion license create` makes one", license)
	}
	if err != nil {
		return fmt.Errorf("look the license up: %w", err)
	}
	return nil
}
