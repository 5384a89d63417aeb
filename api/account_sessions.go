package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"corrosion/schema/pg"
)

// SessionBody is one sign-in.
type SessionBody struct {
	SessionID  uuid.UUID  `json:"session_id"`
	Current    bool       `json:"current" doc:"Whether it is the one that asks"`
	LicenseID  *uuid.UUID `json:"license_id" format:"uuid" nullable:"true"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt time.Time  `json:"last_used_at" doc:"When it last signed in or refreshed"`
	ExpiresAt  time.Time  `json:"expires_at" doc:"When it ends unless it is used"`
	Address    string     `json:"address" doc:"From where it was last used"`
	UserAgent  string     `json:"user_agent"`
}

// SessionsBody is where an account is signed in.
type SessionsBody struct {
	Sessions []SessionBody `json:"sessions" doc:"The latest used first"`
}

// EndedBody counts what was ended.
type EndedBody struct {
	Ended int64 `json:"ended" doc:"How many sessions were ended"`
}

type sessionInput struct {
	ID string `path:"id" format:"uuid" doc:"The session"`
}

func (s *Server) registerSessions() {
	registerAccount(s, huma.Operation{
		OperationID: "listSessions", Method: http.MethodGet, Path: sessionsPath, Security: private(), Summary: "Where the account is signed in",
	}, s.sessions)
	registerAccount(s, huma.Operation{
		OperationID: "revokeOtherSessions", Method: http.MethodDelete, Path: sessionsPath, Security: private(),
		Summary: "End all other sessions", Description: "Their access tokens live on for up to 15 minutes where only analytics are read.",
	}, func(ctx context.Context, st *requestState, _ *struct{}) (*struct{ Body EndedBody }, error) {
		who, err := st.person()
		if err != nil {
			return nil, err
		}
		ended, err := s.deps.Accounts.RevokeOthers(ctx, who)
		return &struct{ Body EndedBody }{EndedBody{ended}}, err
	})
	registerAccount(s, huma.Operation{
		OperationID: "revokeSession", Method: http.MethodDelete, Path: sessionsPath + "/{id}", Security: private(),
		DefaultStatus: http.StatusNoContent, Summary: "End one session",
	}, func(ctx context.Context, st *requestState, in *sessionInput) (*struct{}, error) {
		who, err := st.person()
		if err != nil {
			return nil, err
		}
		id, err := uuid.Parse(in.ID)
		if err != nil {
			return nil, errNotFound
		}
		return nil, s.deps.Accounts.Revoke(ctx, who, id)
	})
}

func (s *Server) sessions(ctx context.Context, st *requestState, _ *struct{}) (*struct{ Body SessionsBody }, error) {
	who, err := st.person()
	if err != nil {
		return nil, err
	}
	sessions, err := s.deps.Accounts.Sessions(ctx, who)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body SessionsBody }{SessionsBody{Sessions: []SessionBody{}}}
	for _, session := range sessions {
		out.Body.Sessions = append(out.Body.Sessions, sessionBody(session, session.ID == who.Session))
	}
	return out, nil
}

func sessionBody(session pg.Session, current bool) SessionBody {
	return SessionBody{
		SessionID: session.ID, Current: current, LicenseID: session.LicenseID, CreatedAt: session.CreatedAt.UTC(),
		LastUsedAt: session.LastUsedAt.UTC(), ExpiresAt: session.ExpiresAt.UTC(), Address: session.Address, UserAgent: session.UserAgent,
	}
}
