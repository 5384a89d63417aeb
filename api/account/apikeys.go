package account

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// shownPrefix is how much of a key is kept to tell it by: ck_ and 8 characters. What is left has 208 random bits.
const shownPrefix = 11

// NewKey asks for an API key. Its fields have been checked.
type NewKey struct {
	Name   string
	Scopes []auth.Scope
	// ExpiresAt is nil for one that lasts until it is revoked.
	ExpiresAt *time.Time
}

// MadeKey is shown once: the key is kept as a digest only.
type MadeKey struct {
	ID        uuid.UUID
	Key       string
	Prefix    string
	CreatedAt time.Time
}

// MakeKey makes an API key of the license. It fails with ErrNoRight or ErrTooMany.
func (s *Service) MakeKey(ctx context.Context, who Person, want NewKey) (made MadeKey, err error) {
	err = s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, _ pg.License) error {
		n, err := q.CountAPIKeys(ctx, pg.CountAPIKeysParams{LicenseID: who.License, Now: s.now()})
		if err != nil {
			return fmt.Errorf("count the keys: %w", err)
		}
		if n >= int64(s.cfg.MaxKeys) {
			return ErrTooMany
		}
		key, digest := auth.NewToken(auth.APIKey)
		made = MadeKey{ID: uuid.Must(uuid.NewV7()), Key: key, Prefix: key[:shownPrefix], CreatedAt: s.now()}
		scopes := make([]string, len(want.Scopes))
		for i, scope := range want.Scopes {
			scopes[i] = string(scope)
		}
		err = q.CreateAPIKey(ctx, pg.CreateAPIKeyParams{
			ID: made.ID, LicenseID: who.License, Name: want.Name, Prefix: made.Prefix, Digest: digest, Scopes: scopes,
			CreatedBy: who.Account, Creator: by.user.Email, Now: made.CreatedAt, ExpiresAt: want.ExpiresAt,
		})
		if err != nil {
			return fmt.Errorf("store the key: %w", err)
		}
		return s.write(ctx, q, by, "key.created", "key", made.ID.String(), map[string]any{
			"name": want.Name, "prefix": made.Prefix, "scopes": scopes, "expires_at": want.ExpiresAt,
		})
	})
	if err != nil {
		return MadeKey{}, err
	}
	return made, nil
}

// Keys are the license's API keys, the newest first; those that have ended are listed for Config.Keep. It fails with
// ErrNoRight.
func (s *Service) Keys(ctx context.Context, who Person) ([]pg.ListAPIKeysRow, error) {
	q, _, err := s.read(ctx, who, auth.Admin)
	if err != nil {
		return nil, err
	}
	rows, err := q.ListAPIKeys(ctx, who.License)
	return rows, store.Wrap("list the keys", err)
}

// RevokeKey ends a key: within Config.KeyMemory nobody takes it any more. It fails with ErrNoRight or ErrNoKey.
func (s *Service) RevokeKey(ctx context.Context, who Person, id uuid.UUID) error {
	err := s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, _ pg.License) error {
		name, err := q.RevokeAPIKey(ctx, pg.RevokeAPIKeyParams{Now: s.now(), ID: id, LicenseID: who.License})
		if store.Missing(err) {
			return ErrNoKey
		}
		if err != nil {
			return fmt.Errorf("revoke the key: %w", err)
		}
		return s.write(ctx, q, by, "key.revoked", "key", id.String(), map[string]any{"name": name})
	})
	s.used.forgetKey(id)
	return err
}

// UseKey says who asks with an API key: its license, with the role of an admin, within its scopes. It fails with ErrKey for
// one that is unknown, was revoked or has expired.
func (s *Service) UseKey(ctx context.Context, text string) (auth.Identity, error) {
	digest, err := auth.TokenDigest(auth.APIKey, text)
	if err != nil {
		return auth.Identity{}, ErrKey
	}
	now := s.now()
	row, ok := s.used.recall(digest, now.Add(-s.cfg.KeyMemory))
	if !ok {
		row, err = s.store.Queries().FindAPIKey(ctx, digest)
		if store.Missing(err) {
			return auth.Identity{}, ErrKey
		}
		if err != nil {
			return auth.Identity{}, fmt.Errorf("find the key: %w", err)
		}
		s.used.remember(row, now)
	}
	if subtle.ConstantTimeCompare(row.Digest, digest) != 1 || row.RevokedAt != nil || row.ExpiresAt != nil && !row.ExpiresAt.After(now) {
		return auth.Identity{}, ErrKey
	}
	s.used.note(row, now)
	return keyIdentity(row), nil
}

func keyIdentity(row pg.FindAPIKeyRow) auth.Identity {
	key := &auth.Key{ID: row.ID, Name: row.Name}
	for _, scope := range row.Scopes {
		key.Scopes = append(key.Scopes, auth.Scope(scope))
	}
	id := auth.Identity{Subject: "key:" + row.Prefix, License: row.LicenseID, Role: auth.Admin, Key: key, TokenID: "key:" + row.ID.String()}
	if row.ExpiresAt != nil {
		id.ExpiresAt = *row.ExpiresAt
	}
	return id
}
