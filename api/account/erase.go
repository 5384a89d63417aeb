package account

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Erase has the license erased whole, which cannot be taken back: it is suspended at once, and a worker removes it from
// all stores. Its name is asked for, the password, and a code where there is a second factor. It fails with ErrNoRight,
// ErrOtherName, ErrPassword, ErrTOTPRequired, ErrTOTPCode or ThrottledError.
func (s *Service) Erase(ctx context.Context, who Person, name, password, code string) (erasure uuid.UUID, err error) {
	if _, _, err := s.read(ctx, who, auth.Owner); err != nil {
		return uuid.Nil, err
	}
	license, err := s.License(ctx, who.License)
	if err != nil {
		return uuid.Nil, err
	}
	if clean, _ := CleanName(name); clean != license.Name {
		return uuid.Nil, ErrOtherName
	}
	if err := s.prove(ctx, who, password, code); err != nil {
		return uuid.Nil, err
	}
	erasure = uuid.Must(uuid.NewV7())
	err = s.asMember(ctx, who, auth.Owner, func(q *pg.Queries, by actor, _ pg.License) error {
		if _, err := q.SuspendLicense(ctx, who.License); err != nil {
			return fmt.Errorf("suspend the license: %w", err)
		}
		err := q.CreateErasure(ctx, pg.CreateErasureParams{ID: erasure, License: who.License, AskedBy: who.Account, Now: s.now()})
		if store.Taken(err) {
			return ErrNoRight // another owner was faster
		}
		if err != nil {
			return fmt.Errorf("note the erasure: %w", err)
		}
		// Not of the license: this entry stays.
		e := event("license.erasure-asked", by.user, by.Origin, nil, "license", who.License.String())
		return audit.Write(ctx, q, s.now(), e)
	})
	return erasure, err
}

// Erasure is how far one is that the person asked for. It fails with ErrNoErasure.
func (s *Service) Erasure(ctx context.Context, who Person, id uuid.UUID) (pg.Erasure, error) {
	row, err := s.store.Queries().FindErasure(ctx, pg.FindErasureParams{ID: id, AskedBy: who.Account})
	if store.Missing(err) {
		return row, ErrNoErasure
	}
	return row, store.Wrap("find the erasure", err)
}

// NoteArchive checks that the person may take everything of the license away, and notes that they do. It fails with
// ErrNoRight.
func (s *Service) NoteArchive(ctx context.Context, who Person) error {
	return s.asMember(ctx, who, auth.Owner, func(q *pg.Queries, by actor, license pg.License) error {
		return s.write(ctx, q, by, "license.archived", "license", license.ID.String(), nil)
	})
}
