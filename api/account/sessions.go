package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Person is an account that asks through a live session, and from where.
type Person struct {
	Account, Session uuid.UUID
	// License is the one that the access token speaks for; uuid.Nil = none.
	License uuid.UUID
	audit.Origin
}

func (p Person) license() *uuid.UUID {
	if p.License == uuid.Nil {
		return nil
	}
	return &p.License
}

// Why sessions end.
const (
	forLogout   = "logout"
	forRevoked  = "revoked"
	forPassword = "password"
)

// Live tells whether a session of an account still counts. Access tokens outlive their session by up to
// Config.AccessTTL; what is sensitive asks here first.
func (s *Service) Live(ctx context.Context, account, session uuid.UUID) (bool, error) {
	live, err := s.store.Queries().SessionLive(ctx, pg.SessionLiveParams{ID: session, UserID: account, Now: s.now()})
	return live, store.Wrap("look the session up", err)
}

// Sessions are the account's live sessions, the latest used first.
func (s *Service) Sessions(ctx context.Context, who Person) ([]pg.Session, error) {
	sessions, err := s.store.Queries().ListSessions(ctx, pg.ListSessionsParams{UserID: who.Account, Now: s.now()})
	return sessions, store.Wrap("list the sessions", err)
}

// Revoke ends one of the account's sessions. It fails with ErrNoSession.
func (s *Service) Revoke(ctx context.Context, who Person, session uuid.UUID) error {
	return s.end(ctx, who, session, forRevoked)
}

// RevokeOthers ends all of the account's sessions but the one that asks, and returns how many.
func (s *Service) RevokeOthers(ctx context.Context, who Person) (ended int64, err error) {
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		user, err := q.LockUser(ctx, who.Account)
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		ended, err = q.RevokeOtherSessions(ctx, pg.RevokeOtherSessionsParams{UserID: user.ID, Keep: who.Session, Now: s.now(), RevokedFor: forRevoked})
		if err != nil {
			return fmt.Errorf("end the sessions: %w", err)
		}
		e := event("session.others-revoked", user, who.Origin, who.license(), "account", user.ID.String())
		e.Details = map[string]any{"sessions": ended}
		return audit.Write(ctx, q, s.now(), e)
	})
	return ended, err
}

// Logout ends the session of an access token.
func (s *Service) Logout(ctx context.Context, who Person) error {
	return s.end(ctx, who, who.Session, forLogout)
}

// LogoutByToken ends the session of a refresh token; a token that is not good any more has none, and that is fine.
func (s *Service) LogoutByToken(ctx context.Context, token string, from audit.Origin) error {
	digest, err := auth.TokenDigest(auth.RefreshToken, token)
	if err != nil {
		return nil
	}
	row, err := s.store.Queries().FindRefreshToken(ctx, digest)
	if store.Missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the refresh token: %w", err)
	}
	session, err := s.store.Queries().FindSession(ctx, row.SessionID)
	if err != nil {
		return fmt.Errorf("find the session: %w", err)
	}
	who := Person{Account: session.UserID, Session: session.ID, Origin: from}
	if session.LicenseID != nil {
		who.License = *session.LicenseID
	}
	if err := s.end(ctx, who, session.ID, forLogout); !errors.Is(err, ErrNoSession) {
		return err
	}
	return nil
}

func (s *Service) end(ctx context.Context, who Person, session uuid.UUID, reason string) error {
	return s.store.Tx(ctx, func(q *pg.Queries) error {
		ended, err := q.RevokeSession(ctx, pg.RevokeSessionParams{ID: session, UserID: who.Account, Now: s.now(), RevokedFor: reason})
		if err != nil {
			return fmt.Errorf("end the session: %w", err)
		}
		if ended == 0 {
			return ErrNoSession
		}
		user, err := q.FindUser(ctx, who.Account)
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		action := "session." + reason
		return audit.Write(ctx, q, s.now(), event(action, user, who.Origin, who.license(), "session", session.String()))
	})
}
