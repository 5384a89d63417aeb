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

// actor is a member who does something in the license that the token speaks for, with the role of this very moment: what
// the token says may be a quarter of an hour old.
type actor struct {
	Person
	user pg.User
	role auth.Role
}

// actor finds who may do what needs a role. It fails with ErrNoRight.
func (s *Service) actor(ctx context.Context, q *pg.Queries, who Person, least auth.Role) (actor, error) {
	member, err := q.FindMembership(ctx, pg.FindMembershipParams{UserID: who.Account, LicenseID: who.License})
	if store.Missing(err) {
		return actor{}, ErrNoRight
	}
	if err != nil {
		return actor{}, fmt.Errorf("find the membership: %w", err)
	}
	role := auth.Role(member.Role)
	if !role.AtLeast(least) {
		return actor{}, ErrNoRight
	}
	user, err := q.FindUser(ctx, who.Account)
	return actor{who, user, role}, store.Wrap("find the account", err)
}

// write notes what was done.
func (s *Service) write(ctx context.Context, q *pg.Queries, by actor, action, kind, target string, details map[string]any) error {
	e := event(action, by.user, by.Origin, &by.License, kind, target)
	e.Details = details
	return audit.Write(ctx, q, s.now(), e)
}

// asMember runs do for a member who may, in one transaction, one after the other for each license: so that counts of
// owners, keys and invitations hold.
func (s *Service) asMember(ctx context.Context, who Person, least auth.Role, do func(*pg.Queries, actor, pg.License) error) error {
	return s.store.Tx(ctx, func(q *pg.Queries) error {
		license, err := q.LockLicense(ctx, who.License)
		if store.Missing(err) {
			return ErrNoRight
		}
		if err != nil {
			return fmt.Errorf("lock the license: %w", err)
		}
		by, err := s.actor(ctx, q, who, least)
		if err != nil {
			return err
		}
		return do(q, by, license)
	})
}

// read is asMember for what changes nothing.
func (s *Service) read(ctx context.Context, who Person, least auth.Role) (*pg.Queries, actor, error) {
	q := s.store.Queries()
	by, err := s.actor(ctx, q, who, least)
	return q, by, err
}

// Role is what a person may do in the license of the token at this moment. It fails with ErrNoRight for one who left.
func (s *Service) Role(ctx context.Context, who Person) (auth.Role, error) {
	_, by, err := s.read(ctx, who, auth.Viewer)
	return by.role, err
}

// withdraw ends what a member could only give as long as they had the right to: keys that they made and invitations that
// they sent. It tells how many.
func (s *Service) withdraw(ctx context.Context, q *pg.Queries, license, member uuid.UUID) (keys, invitations int64, err error) {
	keys, err = q.RevokeAPIKeysBy(ctx, pg.RevokeAPIKeysByParams{Now: s.now(), LicenseID: license, CreatedBy: member})
	if err != nil {
		return 0, 0, fmt.Errorf("end the member's keys: %w", err)
	}
	invitations, err = q.RevokeInvitationsBy(ctx, pg.RevokeInvitationsByParams{Now: s.now(), LicenseID: license, InvitedBy: member})
	return keys, invitations, store.Wrap("take the member's invitations back", err)
}
