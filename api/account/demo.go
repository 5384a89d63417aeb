package account

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// The demo network and its viewer are published: anybody may look at them.
const (
	DemoLicense  = "00000000-0000-4000-8000-00000000d340"
	demoName     = "Demo network"
	demoEmail    = "demo@corrosion.local"
	demoPassword = "demo"
)

// EnsureDemo makes the demo license and its viewer unless they are there.
func EnsureDemo(ctx context.Context, pool *pgxpool.Pool) (uuid.UUID, error) {
	license := uuid.MustParse(DemoLicense)
	err := store.New(pool).Tx(ctx, func(queries *pg.Queries) error {
		if err := queries.EnsureLicense(ctx, pg.EnsureLicenseParams{ID: license, Name: demoName}); err != nil {
			return err
		}
		user, err := queries.FindUserByEmail(ctx, demoEmail)
		id := user.ID
		if store.Missing(err) {
			id, err = createDemoViewer(ctx, queries)
		}
		if err != nil {
			return err
		}
		return queries.AddMember(ctx, pg.AddMemberParams{LicenseID: license, UserID: id, Role: string(auth.Viewer)})
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("make the demo license: %w", err)
	}
	return license, nil
}

func createDemoViewer(ctx context.Context, queries *pg.Queries) (uuid.UUID, error) {
	hash, err := auth.HashFixedPassword(demoPassword, auth.DefaultPasswordParams())
	if err != nil {
		return uuid.Nil, err
	}
	return queries.CreateUser(ctx, pg.CreateUserParams{ID: uuid.Must(uuid.NewV7()), Email: demoEmail, EmailKey: demoEmail, PasswordHash: hash})
}
