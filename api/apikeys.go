package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/schema/pg"
)

// NewKeyBody asks for an API key.
type NewKeyBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	NameField
	Scopes        []string `json:"scopes" minItems:"1" maxItems:"20" doc:"What the key may do: read:analytics, read:license, read:modules, export, install, write:servers, write:events" example:"[\"export\"]"`
	ExpiresInDays int      `json:"expires_in_days,omitempty" minimum:"1" maximum:"3650" doc:"Absent = until it is revoked"`
}

var (
	errNoScope    = errors.New("is no scope: there are export, install, read:analytics, read:license, read:modules, write:events, write:servers")
	errScopeTwice = errors.New("is given twice")
)

// Resolve checks what the schema cannot say.
func (b *NewKeyBody) Resolve(ctx huma.Context, prefix *huma.PathBuffer) []error {
	faults := b.NameField.Resolve(ctx, prefix)
	prefix.Push("scopes")
	defer prefix.Pop()
	for i, scope := range b.Scopes {
		var cause error
		switch {
		case !auth.Scope(scope).Valid():
			cause = errNoScope
		case slices.Index(b.Scopes, scope) < i:
			cause = errScopeTwice
		default:
			continue
		}
		faults = append(faults, &huma.ErrorDetail{Location: prefix.WithIndex(i), Message: cause.Error(), Value: clip(scope)})
	}
	return faults
}

func (b *NewKeyBody) wanted(now time.Time) account.NewKey {
	want := account.NewKey{Name: b.clean()}
	for _, scope := range b.Scopes {
		want.Scopes = append(want.Scopes, auth.Scope(scope))
	}
	if b.ExpiresInDays > 0 {
		end := now.Add(time.Duration(b.ExpiresInDays) * 24 * time.Hour).UTC().Truncate(time.Second)
		want.ExpiresAt = &end
	}
	return want
}

// MadeKeyBody is shown once.
type MadeKeyBody struct {
	KeyID     uuid.UUID  `json:"key_id"`
	Key       string     `json:"key" doc:"Shown this once; for Authorization: Bearer"`
	Prefix    string     `json:"prefix" doc:"How lists name it"`
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// KeyBody is an API key as lists show it.
type KeyBody struct {
	KeyID      uuid.UUID  `json:"key_id"`
	Prefix     string     `json:"prefix" doc:"Its first characters"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	Status     string     `json:"status" enum:"active,expired,revoked"`
	CreatedBy  string     `json:"created_by" doc:"Email of who made it: the key ends when they leave or become a viewer"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at" doc:"null = until it is revoked"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"To some minutes; null = never"`
	RevokedAt  *time.Time `json:"revoked_at"`
	RevokedFor *string    `json:"revoked_for" enum:"revoked,maker-left"`
}

// KeysBody are a license's API keys.
type KeysBody struct {
	Keys []KeyBody `json:"keys" doc:"The newest first; those that have ended stay for a week"`
}

type keyInput struct {
	ID string `path:"id" format:"uuid" doc:"The key"`
}

func (s *Server) registerKeys() {
	registerMember(s, huma.Operation{
		OperationID: "createKey", Method: http.MethodPost, Path: keysPath, DefaultStatus: http.StatusCreated, Summary: "Make an API key",
		Description: "For admins and owners. The key is shown once and kept as a digest. It reads and changes this license alone, within its scopes; each " +
			"operation of this reference names the scope that it needs.",
	}, func(ctx context.Context, who account.Person, in *struct{ Body NewKeyBody }) (*struct{ Body MadeKeyBody }, error) {
		want := in.Body.wanted(s.deps.Now())
		made, err := s.deps.Accounts.MakeKey(ctx, who, want)
		return &struct{ Body MadeKeyBody }{MadeKeyBody{
			made.ID, made.Key, made.Prefix, want.Name, in.Body.Scopes, made.CreatedAt.UTC(), want.ExpiresAt,
		}}, err
	})
	registerMember(s, huma.Operation{
		OperationID: "listKeys", Method: http.MethodGet, Path: keysPath, Summary: "The license's API keys", Description: "For admins and owners.",
	}, func(ctx context.Context, who account.Person, _ *struct{}) (*struct{ Body KeysBody }, error) {
		rows, err := s.deps.Accounts.Keys(ctx, who)
		out := &struct{ Body KeysBody }{KeysBody{[]KeyBody{}}}
		for _, row := range rows {
			out.Body.Keys = append(out.Body.Keys, keyBody(row, s.deps.Now()))
		}
		return out, err
	})
	registerMember(s, huma.Operation{
		OperationID: "revokeKey", Method: http.MethodDelete, Path: keysPath + "/{id}", DefaultStatus: http.StatusNoContent, Summary: "Revoke an API key",
		Description: "For admins and owners. Within seconds no process takes it any more, and live streams that were opened with it end.",
	}, func(ctx context.Context, who account.Person, in *keyInput) (*struct{}, error) {
		id, err := idOf(in.ID)
		if err != nil {
			return nil, err
		}
		return nil, s.deps.Accounts.RevokeKey(ctx, who, id)
	})
}

func keyBody(k pg.ListAPIKeysRow, now time.Time) KeyBody {
	status := "active"
	switch {
	case k.RevokedAt != nil:
		status = "revoked"
	case k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		status = "expired"
	}
	return KeyBody{
		KeyID: k.ID, Prefix: k.Prefix, Name: k.Name, Scopes: k.Scopes, Status: status, CreatedBy: k.Creator, CreatedAt: k.CreatedAt.UTC(),
		ExpiresAt: utc(k.ExpiresAt), LastUsedAt: utc(k.LastUsedAt), RevokedAt: utc(k.RevokedAt), RevokedFor: k.RevokedFor,
	}
}
