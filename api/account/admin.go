package account

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// CreatedAdmin is shown once. Password is to be changed at the first sign-in; it is empty where the account was there
// before and keeps its own.
type CreatedAdmin struct {
	AccountID uuid.UUID `json:"account_id"`
	Email     string    `json:"email"`
	Password  string    `json:"password,omitempty"`
}

// CreateAdmin makes a platform administrator of an email, with an account unless there is one.
func CreateAdmin(ctx context.Context, pool *pgxpool.Pool, text string) (created CreatedAdmin, err error) {
	email, err := ParseEmail(text)
	if err != nil {
		return created, fmt.Errorf("create admin: email %q %w", text, err)
	}
	err = store.New(pool).Tx(ctx, func(q *pg.Queries) error {
		created = CreatedAdmin{Email: email.Address}
		user, err := q.FindUserByEmail(ctx, email.Key)
		created.AccountID = user.ID
		if store.Missing(err) {
			created.Password = auth.NewPassword()
			created.AccountID, err = createWithOneTimePassword(ctx, q, email, created.Password)
		}
		if err != nil {
			return fmt.Errorf("store the account: %w", err)
		}
		if err := q.MakePlatformAdmin(ctx, created.AccountID); err != nil {
			return fmt.Errorf("store the right: %w", err)
		}
		return audit.Write(ctx, q, time.Now(), audit.Event{
			Action: "admin.created", Actor: "cli", TargetKind: "account", TargetID: created.AccountID.String(),
		})
	})
	if err != nil {
		return CreatedAdmin{}, fmt.Errorf("create admin: %w", err)
	}
	return created, nil
}
