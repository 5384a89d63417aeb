package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// OpenLicense makes a license of a person, who becomes its owner, with the NATS user of its game servers; the password is
// shown once. name has been cleaned. It fails with ErrTooMany for who owns Config.MaxOwned.
func (s *Service) OpenLicense(ctx context.Context, who Person, name string) (made CreatedLicense, err error) {
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		user, err := q.LockUser(ctx, who.Account) // counts what it owns one request after the other
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		owned, err := q.CountOwned(ctx, who.Account)
		if err != nil {
			return fmt.Errorf("count the account's licenses: %w", err)
		}
		if owned >= int64(s.cfg.MaxOwned) {
			return ErrTooMany
		}
		if made, err = addLicense(ctx, q, name); err != nil {
			return err
		}
		err = q.AddMember(ctx, pg.AddMemberParams{LicenseID: made.LicenseID, UserID: user.ID, Role: string(auth.Owner)})
		if err != nil {
			return fmt.Errorf("store the membership: %w", err)
		}
		e := event("license.created", user, who.Origin, &made.LicenseID, "license", made.LicenseID.String())
		e.Details = map[string]any{"name": name}
		return audit.Write(ctx, q, s.now(), e)
	})
	if err != nil {
		return CreatedLicense{}, err
	}
	return made, nil
}

// Licenses are those of a person, those where they may do most first.
func (s *Service) Licenses(ctx context.Context, who Person) ([]pg.ListMembershipsRow, error) {
	rows, err := s.store.Queries().ListMemberships(ctx, who.Account)
	return rows, store.Wrap("list the account's licenses", err)
}

// License reads one. It fails with ErrNoLicense.
func (s *Service) License(ctx context.Context, id uuid.UUID) (pg.License, error) {
	license, err := s.store.Queries().FindLicense(ctx, id)
	if store.Missing(err) {
		return license, ErrNoLicense
	}
	return license, store.Wrap("find the license", err)
}

// Tag names a version of what an edit changes, for If-Match.
func Tag(parts ...any) string {
	text, _ := json.Marshal(parts) // plain values
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// LicenseTag is that of a license.
func LicenseTag(l pg.License) string { return Tag(l.ID, l.Name, l.SuspendedAt != nil) }

// RenameLicense gives the license another name, which has been cleaned; fits says whether the license may be changed as it
// is. It fails with ErrNoRight or ErrChanged.
func (s *Service) RenameLicense(ctx context.Context, who Person, name string, fits func(tag string) bool) (license pg.License, err error) {
	err = s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, before pg.License) error {
		if !fits(LicenseTag(before)) {
			return ErrChanged
		}
		license = before
		if license.Name = name; name == before.Name {
			return nil
		}
		if err := q.RenameLicense(ctx, pg.RenameLicenseParams{ID: before.ID, Name: name}); err != nil {
			return fmt.Errorf("rename the license: %w", err)
		}
		return s.write(ctx, q, by, "license.renamed", "license", before.ID.String(), map[string]any{"from": before.Name, "to": name})
	})
	return license, err
}
