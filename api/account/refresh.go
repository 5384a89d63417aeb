package account

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// maxSuccessors bounds how many tokens are given for one within the grace.
const maxSuccessors = 5

// Refresh gives new tokens for a refresh token, which is used up. license, where not nil, is the one to speak for from
// now on. A token that was used before ends its session, except within Config.RefreshGrace while nothing that was given
// for it has been used: two tabs at once each get a token of their own, and the first that is used retires the other.
// It fails with ErrRefresh or ErrNotMember.
func (s *Service) Refresh(ctx context.Context, token string, license *uuid.UUID, from audit.Origin) (grant *Grant, err error) {
	digest, err := auth.TokenDigest(auth.RefreshToken, token)
	if err != nil {
		return nil, ErrRefresh
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		grant = nil
		session, err := s.lockFamily(ctx, q, digest)
		if err != nil {
			return err
		}
		stolen, err := s.use(ctx, q, session, digest)
		if err != nil {
			return err
		}
		if stolen {
			return s.revokeFamily(ctx, q, session, from)
		}
		grant, err = s.renew(ctx, q, session, digest, license, from)
		return err
	})
	if err != nil {
		return nil, err
	}
	// The end of a family must be committed, so it is no error of the transaction.
	if grant == nil {
		return nil, ErrRefresh
	}
	return grant, nil
}

// lockFamily finds a token's live session and keeps its other tokens from being used meanwhile.
func (s *Service) lockFamily(ctx context.Context, q *pg.Queries, digest []byte) (pg.Session, error) {
	row, err := q.FindRefreshToken(ctx, digest)
	if store.Missing(err) {
		return pg.Session{}, ErrRefresh
	}
	if err != nil {
		return pg.Session{}, fmt.Errorf("find the refresh token: %w", err)
	}
	session, err := q.LockSession(ctx, row.SessionID)
	if store.Missing(err) {
		return pg.Session{}, ErrRefresh
	}
	if err != nil {
		return pg.Session{}, fmt.Errorf("lock the session: %w", err)
	}
	if session.RevokedAt != nil || !session.ExpiresAt.After(s.now()) {
		return pg.Session{}, ErrRefresh
	}
	return session, nil
}

// use uses a token up and tells whether somebody else had done so before.
func (s *Service) use(ctx context.Context, q *pg.Queries, session pg.Session, digest []byte) (stolen bool, err error) {
	row, err := q.FindRefreshToken(ctx, digest)
	if err != nil {
		return false, fmt.Errorf("find the refresh token: %w", err)
	}
	now := s.now()
	if row.UsedAt == nil {
		return false, q.UseRefreshTokens(ctx, pg.UseRefreshTokensParams{SessionID: session.ID, Now: now})
	}
	if now.Sub(*row.UsedAt) > s.cfg.RefreshGrace {
		return true, nil
	}
	used, err := q.RefreshSuccessorUsed(ctx, pg.RefreshSuccessorUsedParams{SessionID: session.ID, Parent: digest})
	if err != nil || used {
		return used, err
	}
	given, err := q.CountRefreshSuccessors(ctx, pg.CountRefreshSuccessorsParams{SessionID: session.ID, Parent: digest})
	return given >= maxSuccessors, err
}

func (s *Service) revokeFamily(ctx context.Context, q *pg.Queries, session pg.Session, from audit.Origin) error {
	now := s.now()
	if _, err := q.RevokeSession(ctx, pg.RevokeSessionParams{ID: session.ID, UserID: session.UserID, Now: now, RevokedFor: "reuse"}); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	user, err := q.FindUser(ctx, session.UserID)
	if err != nil {
		return fmt.Errorf("find the account: %w", err)
	}
	return audit.Write(ctx, q, now, event("session.reuse-refused", user, from, session.LicenseID, "session", session.ID.String()))
}

// renew lengthens the session and issues its next tokens with what the account may do now.
func (s *Service) renew(ctx context.Context, q *pg.Queries, session pg.Session, parent []byte, license *uuid.UUID, from audit.Origin) (*Grant, error) {
	user, err := q.FindUser(ctx, session.UserID)
	if err != nil {
		return nil, fmt.Errorf("find the account: %w", err)
	}
	member, err := pickLicense(ctx, q, user.ID, license, session.LicenseID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	session.ExpiresAt = earlier(now.Add(s.cfg.SessionIdle), session.CreatedAt.Add(s.cfg.SessionLife))
	err = q.TouchSession(ctx, pg.TouchSessionParams{
		ID: session.ID, Now: now, ExpiresAt: session.ExpiresAt, LicenseID: member.id(),
		Address: from.Address, UserAgent: audit.Clip(from.UserAgent, audit.MaxUserAgent),
	})
	if err != nil {
		return nil, fmt.Errorf("note the session's use: %w", err)
	}
	return s.grant(ctx, q, user, session, member, parent)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Switch gives an access token for another of the account's licenses; the session keeps to it. It fails with
// ErrNotMember.
func (s *Service) Switch(ctx context.Context, who Person, license uuid.UUID) (grant *Grant, err error) {
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		user, err := q.FindUser(ctx, who.Account)
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		member, err := pickLicense(ctx, q, user.ID, &license, nil)
		if err != nil {
			return err
		}
		if err := q.SetSessionLicense(ctx, pg.SetSessionLicenseParams{ID: who.Session, LicenseID: license}); err != nil {
			return fmt.Errorf("note the session's license: %w", err)
		}
		if grant, err = s.access(user, who.Session, member); err != nil {
			return err
		}
		return audit.Write(ctx, q, s.now(), event("session.license-changed", user, who.Origin, &license, "session", who.Session.String()))
	})
	return grant, err
}
