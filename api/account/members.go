package account

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Member is one of the people of a license.
type Member pg.FindMemberRow

// Tag names what an edit of a member changes.
func (m Member) Tag() string { return Tag(m.UserID, m.Role) }

// Members are the people of the license, those who may do most first, and what the asker may do. It fails with ErrNoRight.
func (s *Service) Members(ctx context.Context, who Person) ([]Member, auth.Role, error) {
	q, by, err := s.read(ctx, who, auth.Viewer)
	if err != nil {
		return nil, "", err
	}
	rows, err := q.ListMembers(ctx, who.License)
	if err != nil {
		return nil, "", fmt.Errorf("list the members: %w", err)
	}
	members := make([]Member, len(rows))
	for i, row := range rows {
		members[i] = Member(row)
	}
	return members, by.role, nil
}

// Member is one of them. It fails with ErrNoRight or ErrNoMember.
func (s *Service) Member(ctx context.Context, who Person, account uuid.UUID) (Member, auth.Role, error) {
	q, by, err := s.read(ctx, who, auth.Viewer)
	if err != nil {
		return Member{}, "", err
	}
	m, err := findMember(ctx, q, who.License, account)
	return m, by.role, err
}

func findMember(ctx context.Context, q *pg.Queries, license, account uuid.UUID) (Member, error) {
	row, err := q.FindMember(ctx, pg.FindMemberParams{LicenseID: license, UserID: account})
	if store.Missing(err) {
		return Member{}, ErrNoMember
	}
	return Member(row), store.Wrap("find the member", err)
}

// keepOwner fails with ErrLastOwner where the license would be left without one.
func keepOwner(ctx context.Context, q *pg.Queries, license uuid.UUID, before, after auth.Role) error {
	if before != auth.Owner || after == auth.Owner {
		return nil
	}
	owners, err := q.CountOwners(ctx, license)
	if err != nil {
		return fmt.Errorf("count the owners: %w", err)
	}
	if owners < 2 {
		return ErrLastOwner
	}
	return nil
}

// Withdrawn is what ended with a member's rights.
type Withdrawn struct{ Keys, Invitations int64 }

// SetRole changes what a member may do; fits says whether the member may be changed as they are. Nobody changes who may do
// more than they, and nobody gives more than they have. Keys and invitations of one who becomes a viewer end. It fails with
// ErrNoRight, ErrNoMember, ErrLastOwner or ErrChanged.
func (s *Service) SetRole(ctx context.Context, who Person, account uuid.UUID, role auth.Role, fits func(tag string) bool) (m Member, err error) {
	err = s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, _ pg.License) error {
		if m, err = findMember(ctx, q, who.License, account); err != nil {
			return err
		}
		before := auth.Role(m.Role)
		if !by.role.AtLeast(before) || !by.role.AtLeast(role) {
			return ErrNoRight
		}
		if !fits(m.Tag()) {
			return ErrChanged
		}
		if before == role {
			return nil
		}
		if err := keepOwner(ctx, q, who.License, before, role); err != nil {
			return err
		}
		m.Role = string(role)
		return s.changeRole(ctx, q, by, m, before)
	})
	return m, err
}

// changeRole stores m's role.
func (s *Service) changeRole(ctx context.Context, q *pg.Queries, by actor, m Member, before auth.Role) error {
	_, err := q.SetMemberRole(ctx, pg.SetMemberRoleParams{Role: m.Role, LicenseID: by.License, UserID: m.UserID})
	if err != nil {
		return fmt.Errorf("change the role: %w", err)
	}
	details := map[string]any{"from": before, "to": m.Role}
	if !auth.Role(m.Role).AtLeast(auth.Admin) {
		keys, invitations, err := s.withdraw(ctx, q, by.License, m.UserID)
		if err != nil {
			return err
		}
		details["keys_ended"], details["invitations_ended"] = keys, invitations
	}
	return s.write(ctx, q, by, "member.role-changed", "account", m.UserID.String(), details)
}

// RemoveMember takes a member out, or who asks themselves: leaving needs no right. Keys that the member made and
// invitations that they sent end. It fails with ErrNoRight, ErrNoMember, ErrLastOwner or ErrChanged.
func (s *Service) RemoveMember(ctx context.Context, who Person, account uuid.UUID, fits func(tag string) bool) (ended Withdrawn, err error) {
	err = s.asMember(ctx, who, auth.Viewer, func(q *pg.Queries, by actor, _ pg.License) error {
		action := "member.removed"
		if account == who.Account {
			action = "member.left"
		} else if !by.role.AtLeast(auth.Admin) {
			return ErrNoRight
		}
		m, err := findMember(ctx, q, who.License, account)
		if err != nil {
			return err
		}
		if !by.role.AtLeast(auth.Role(m.Role)) {
			return ErrNoRight
		}
		if !fits(m.Tag()) {
			return ErrChanged
		}
		if err := keepOwner(ctx, q, who.License, auth.Role(m.Role), ""); err != nil {
			return err
		}
		ended, err = s.remove(ctx, q, by, m, action)
		return err
	})
	return ended, err
}

func (s *Service) remove(ctx context.Context, q *pg.Queries, by actor, m Member, action string) (ended Withdrawn, err error) {
	if ended.Keys, ended.Invitations, err = s.withdraw(ctx, q, by.License, m.UserID); err != nil {
		return ended, err
	}
	if _, err := q.RemoveMember(ctx, pg.RemoveMemberParams{LicenseID: by.License, UserID: m.UserID}); err != nil {
		return ended, fmt.Errorf("remove the member: %w", err)
	}
	if err := q.LeaveSessions(ctx, pg.LeaveSessionsParams{UserID: m.UserID, LicenseID: by.License}); err != nil {
		return ended, fmt.Errorf("take the member's sessions out: %w", err)
	}
	return ended, s.write(ctx, q, by, action, "account", m.UserID.String(), map[string]any{
		"email": m.Email, "role": m.Role, "keys_ended": ended.Keys, "invitations_ended": ended.Invitations,
	})
}

// Transfer makes another member owner in the place of who asks, who becomes an admin. The password is asked for again, and
// a code where there is a second factor. It fails with ErrNoRight, ErrNoMember, ErrPassword, ErrTOTPRequired, ErrTOTPCode
// or ThrottledError.
func (s *Service) Transfer(ctx context.Context, who Person, to uuid.UUID, password, code string) (m Member, err error) {
	if _, _, err := s.read(ctx, who, auth.Owner); err != nil {
		return m, err
	}
	if err := s.prove(ctx, who, password, code); err != nil {
		return m, err
	}
	err = s.asMember(ctx, who, auth.Owner, func(q *pg.Queries, by actor, _ pg.License) error {
		if m, err = findMember(ctx, q, who.License, to); err != nil {
			return err
		}
		if to == who.Account {
			return ErrNoMember
		}
		before := m.Role
		m.Role = string(auth.Owner)
		if _, err := q.SetMemberRole(ctx, pg.SetMemberRoleParams{Role: m.Role, LicenseID: by.License, UserID: to}); err != nil {
			return fmt.Errorf("make the new owner: %w", err)
		}
		_, err := q.SetMemberRole(ctx, pg.SetMemberRoleParams{Role: string(auth.Admin), LicenseID: by.License, UserID: who.Account})
		if err != nil {
			return fmt.Errorf("make the old owner an admin: %w", err)
		}
		return s.write(ctx, q, by, "license.transferred", "account", to.String(), map[string]any{"email": m.Email, "role_before": before})
	})
	return m, err
}

// prove asks for the password, and for a code where there is a second factor, before what cannot be taken back.
func (s *Service) prove(ctx context.Context, who Person, password, code string) error {
	if _, err := s.reauthenticate(ctx, who, password); err != nil {
		return err
	}
	return s.withCode(ctx, who, func(q *pg.Queries, user pg.User) error {
		return s.checkSecondFactor(ctx, q, user.ID, code, true)
	})
}
