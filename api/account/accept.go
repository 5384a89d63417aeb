package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Acceptance joins a license without being signed in. Password is that of the email's account, or of the one that is made.
type Acceptance struct {
	Token, Password, Code string
	// Name is that of an account that is made; it has been cleaned and may be empty.
	Name string
	audit.Origin
}

// Join accepts an invitation as a person who is signed in, whose email it must be for, and gives an access token for the
// license; the session keeps to it. It fails with ErrLink, ErrOtherEmail or ThrottledError.
func (s *Service) Join(ctx context.Context, who Person, token string) (grant *Grant, err error) {
	counted := s.addressTry(who.Address)
	if err := s.begin(ctx, counted); err != nil {
		return nil, err
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		in, err := s.lookAt(ctx, q, token)
		if err != nil {
			return err
		}
		user, err := q.LockUser(ctx, who.Account)
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		if user.EmailKey != in.emailKey {
			return ErrOtherEmail
		}
		if err := s.admit(ctx, q, in, user, who.Origin); err != nil {
			return err
		}
		if err := q.SetSessionLicense(ctx, pg.SetSessionLicenseParams{ID: who.Session, LicenseID: in.License}); err != nil {
			return fmt.Errorf("note the session's license: %w", err)
		}
		member, err := pickLicense(ctx, q, user.ID, &in.License, nil)
		if err != nil {
			return err
		}
		grant, err = s.access(user, who.Session, member)
		return err
	})
	if errors.Is(err, ErrLink) {
		return nil, err
	}
	return grant, errors.Join(err, s.good(ctx, counted))
}

// JoinBySignIn accepts an invitation with the password of the email's account, or makes that account, and signs in. Whether
// there is one shows only to who has the link. It fails with ErrLink, ErrWeakPassword or auth.ErrPasswordLength for a new
// account, and like Login for one that is there.
func (s *Service) JoinBySignIn(ctx context.Context, a Acceptance) (grant *Grant, err error) {
	in, err := s.LookAt(ctx, a.Token, a.Address)
	if err != nil {
		return nil, err
	}
	email, err := ParseEmail(in.Email)
	if err != nil {
		return nil, err
	}
	_, err = s.store.Queries().FindUserByEmail(ctx, email.Key)
	if store.Missing(err) {
		return s.joinAsNew(ctx, a, email)
	}
	if err != nil {
		return nil, fmt.Errorf("find the account: %w", err)
	}
	grant, err = s.Login(ctx, Login{Email: email, Password: a.Password, Code: a.Code, Origin: a.Origin})
	if err != nil {
		return nil, err
	}
	who := Person{Session: grant.Identity.Session, Origin: a.Origin}
	who.Account, _ = grant.Identity.Account()
	joined, err := s.Join(ctx, who, a.Token)
	if err != nil {
		return nil, err
	}
	joined.RefreshToken, joined.RefreshExpires = grant.RefreshToken, grant.RefreshExpires
	return joined, nil
}

// joinAsNew makes the account and the membership together.
func (s *Service) joinAsNew(ctx context.Context, a Acceptance, email Email) (grant *Grant, err error) {
	if err := CheckNewPassword(a.Password, email); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, s.signupTry(a.Address)); err != nil {
		return nil, err
	}
	hash, err := s.hasher.Hash(ctx, a.Password)
	if err != nil {
		return nil, fmt.Errorf("hash the password: %w", err)
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		in, err := s.lookAt(ctx, q, a.Token)
		if err != nil {
			return err
		}
		user, err := s.newUser(ctx, q, in, a, hash, email)
		if err != nil {
			return err
		}
		if err := s.admit(ctx, q, in, user, a.Origin); err != nil {
			return err
		}
		grant, err = s.openSession(ctx, q, user, &in.License, a.Origin)
		return err
	})
	return grant, err
}

// newUser makes the account of an invitation. Who has a mailed link owns the mailbox.
func (s *Service) newUser(ctx context.Context, q *pg.Queries, in *Invited, a Acceptance, hash string, email Email) (pg.User, error) {
	params := pg.CreateUserIfNewParams{ID: uuid.Must(uuid.NewV7()), Email: email.Address, EmailKey: email.Key, Name: a.Name, PasswordHash: hash}
	if now := s.now(); in.mailed {
		params.EmailConfirmedAt = &now
	}
	rows, err := q.CreateUserIfNew(ctx, params)
	if err != nil {
		return pg.User{}, fmt.Errorf("store the account: %w", err)
	}
	if rows == 0 {
		return pg.User{}, ErrCredentials // made by another way meanwhile
	}
	if err := q.DeleteRegistrations(ctx, email.Key); err != nil {
		return pg.User{}, fmt.Errorf("remove the registration: %w", err)
	}
	user, err := q.LockUser(ctx, params.ID)
	if err != nil {
		return user, fmt.Errorf("find the account: %w", err)
	}
	return user, audit.Write(ctx, q, s.now(), event("account.invited", user, a.Origin, &in.License, "account", user.ID.String()))
}

// admit uses the invitation up and makes the member. One who is a member already, by another way, keeps their role.
func (s *Service) admit(ctx context.Context, q *pg.Queries, in *Invited, user pg.User, from audit.Origin) error {
	if _, err := q.LockLicense(ctx, in.License); err != nil {
		return fmt.Errorf("lock the license: %w", err)
	}
	used, err := q.AcceptInvitation(ctx, pg.AcceptInvitationParams{Now: s.now(), ID: in.ID})
	if err != nil {
		return fmt.Errorf("use the invitation up: %w", err)
	}
	if used == 0 {
		return ErrLink
	}
	_, err = findMember(ctx, q, in.License, user.ID)
	if err == nil || !errors.Is(err, ErrNoMember) {
		return err
	}
	if err := q.AddMember(ctx, pg.AddMemberParams{LicenseID: in.License, UserID: user.ID, Role: string(in.Role)}); err != nil {
		return fmt.Errorf("store the membership: %w", err)
	}
	e := event("invitation.accepted", user, from, &in.License, "invitation", in.ID.String())
	e.Details = map[string]any{"role": in.Role, "inviter": in.Inviter}
	return audit.Write(ctx, q, s.now(), e)
}
