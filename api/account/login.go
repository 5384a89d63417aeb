package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Login asks for a session.
type Login struct {
	Email    Email
	Password string
	// Code is of the second factor, or a recovery code; empty where the account has none.
	Code string
	// License is the one to speak for; nil = the one where the account may do most.
	License *uuid.UUID
	audit.Origin
}

// Grant is what a sign-in or a refresh gives.
type Grant struct {
	AccessToken string
	ExpiresAt   time.Time
	// RefreshToken is empty where the old one stays good.
	RefreshToken   string
	RefreshExpires time.Time
	Identity       auth.Identity
}

// Login opens a session. That there is no account, that the password is wrong, and that the email is not confirmed look
// the same: ErrCredentials. Further it fails with ErrTOTPRequired, ErrTOTPCode, ErrNotMember, ThrottledError and
// auth.ErrBusy.
func (s *Service) Login(ctx context.Context, in Login) (*Grant, error) {
	account, address := s.accountTry(in.Email), s.addressTry(in.Address)
	if err := s.begin(ctx, address, account); err != nil {
		return nil, err
	}
	grant, err := s.login(ctx, in)
	switch {
	case err == nil:
		return grant, errors.Join(s.forget(ctx, account), s.good(ctx, address))
	case errors.Is(err, ErrCredentials) || errors.Is(err, ErrTOTPCode):
		return nil, errors.Join(err, s.auditRefused(ctx, in, err))
	default:
		// The password was right, or has not been looked at.
		return nil, errors.Join(err, s.good(ctx, account, address))
	}
}

func (s *Service) login(ctx context.Context, in Login) (*Grant, error) {
	user, err := s.store.Queries().FindUserByEmail(ctx, in.Email.Key)
	if err != nil && !store.Missing(err) {
		return nil, fmt.Errorf("find the account: %w", err)
	}
	ok, rehash, err := s.hasher.Check(ctx, user.PasswordHash, in.Password)
	if err != nil {
		return nil, fmt.Errorf("check the password: %w", err)
	}
	if !ok {
		return nil, ErrCredentials
	}
	var grant *Grant
	err = s.store.Tx(ctx, func(q *pg.Queries) (err error) {
		locked, err := q.LockUser(ctx, user.ID)
		if err != nil {
			return err
		}
		// Changed while it was checked: what was checked counts no longer.
		if locked.PasswordHash != user.PasswordHash {
			return ErrCredentials
		}
		if err := s.checkSecondFactor(ctx, q, user.ID, in.Code, true); err != nil {
			return err
		}
		if rehash != "" {
			if err := q.RehashPassword(ctx, pg.RehashPasswordParams{ID: user.ID, OldHash: user.PasswordHash, NewHash: rehash}); err != nil {
				return err
			}
		}
		grant, err = s.openSession(ctx, q, locked, in.License, in.Origin)
		return err
	})
	return grant, err
}

func (s *Service) auditRefused(ctx context.Context, in Login, cause error) error {
	return audit.Write(ctx, s.store.Queries(), s.now(), audit.Event{
		Action: "account.login-refused", Actor: in.Email.Address, TargetKind: "account", Origin: in.Origin,
		Details: map[string]any{"code_wrong": errors.Is(cause, ErrTOTPCode)},
	})
}

// openSession begins a session of user and issues its first tokens.
func (s *Service) openSession(ctx context.Context, q *pg.Queries, user pg.User, license *uuid.UUID, from audit.Origin) (*Grant, error) {
	now := s.now()
	member, err := pickLicense(ctx, q, user.ID, license, nil)
	if err != nil {
		return nil, err
	}
	session := pg.Session{ID: uuid.Must(uuid.NewV7()), UserID: user.ID, CreatedAt: now, ExpiresAt: now.Add(s.cfg.SessionIdle)}
	err = q.CreateSession(ctx, pg.CreateSessionParams{
		ID: session.ID, UserID: user.ID, LicenseID: member.id(), Now: now, ExpiresAt: session.ExpiresAt,
		Address: from.Address, UserAgent: audit.Clip(from.UserAgent, audit.MaxUserAgent),
	})
	if err != nil {
		return nil, fmt.Errorf("store the session: %w", err)
	}
	if err := q.NoteLogin(ctx, pg.NoteLoginParams{ID: user.ID, Now: now}); err != nil {
		return nil, err
	}
	grant, err := s.grant(ctx, q, user, session, member, nil)
	if err != nil {
		return nil, err
	}
	return grant, audit.Write(ctx, q, now, event("account.login", user, from, member.id(), "session", session.ID.String()))
}

// event is what an account did.
func event(action string, user pg.User, from audit.Origin, license *uuid.UUID, targetKind, target string) audit.Event {
	return audit.Event{
		Action: action, ActorID: &user.ID, Actor: user.Email, License: license,
		TargetKind: targetKind, TargetID: target, Origin: from,
	}
}

// grant issues an access token, and a refresh token in the place of parent.
func (s *Service) grant(ctx context.Context, q *pg.Queries, user pg.User, session pg.Session, member *membership, parent []byte) (*Grant, error) {
	grant, err := s.access(user, session.ID, member)
	if err != nil {
		return nil, err
	}
	token, digest := auth.NewToken(auth.RefreshToken)
	grant.RefreshToken, grant.RefreshExpires = token, session.ExpiresAt
	err = q.CreateRefreshToken(ctx, pg.CreateRefreshTokenParams{Digest: digest, SessionID: session.ID, Parent: parent, Now: s.now()})
	return grant, store.Wrap("store the refresh token", err)
}

// access issues an access token.
func (s *Service) access(user pg.User, session uuid.UUID, member *membership) (*Grant, error) {
	id := auth.Identity{
		Subject: user.ID.String(), Session: session, PlatformAdmin: user.PlatformAdmin, MustChangePassword: user.MustChangePassword,
		TokenID: uuid.Must(uuid.NewV7()).String(),
	}
	if member != nil {
		id.License, id.Role = member.LicenseID, auth.Role(member.Role)
	}
	now := s.now()
	token, err := s.keys.Issue(id, now, s.cfg.AccessTTL)
	if err != nil {
		return nil, err
	}
	return &Grant{AccessToken: token, ExpiresAt: now.Add(s.cfg.AccessTTL), Identity: id}, nil
}

// membership is nil for an account without a license.
type membership pg.FindMembershipRow

func (m *membership) id() *uuid.UUID {
	if m == nil {
		return nil
	}
	return &m.LicenseID
}

// pickLicense finds the license to speak for: the one that is asked for, which must be the account's; else the one
// before, while the account still has it; else the first that is not suspended.
func pickLicense(ctx context.Context, q *pg.Queries, user uuid.UUID, asked, before *uuid.UUID) (*membership, error) {
	rows, err := q.ListMemberships(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list the account's licenses: %w", err)
	}
	find := func(wanted func(pg.ListMembershipsRow) bool) *membership {
		for _, row := range rows {
			if wanted(row) {
				m := membership(row)
				return &m
			}
		}
		return nil
	}
	if asked != nil {
		if m := find(func(r pg.ListMembershipsRow) bool { return r.LicenseID == *asked }); m != nil {
			return m, nil
		}
		return nil, ErrNotMember
	}
	if before != nil {
		if m := find(func(r pg.ListMembershipsRow) bool { return r.LicenseID == *before }); m != nil {
			return m, nil
		}
	}
	if m := find(func(r pg.ListMembershipsRow) bool { return r.SuspendedAt == nil }); m != nil {
		return m, nil
	}
	return find(func(pg.ListMembershipsRow) bool { return true }), nil
}
