package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/audit"
	"corrosion/api/auth"
)

// MembershipBody is a license of an account.
type MembershipBody struct {
	LicenseID   uuid.UUID  `json:"license_id"`
	Name        string     `json:"name"`
	Role        string     `json:"role" enum:"owner,admin,viewer"`
	Since       time.Time  `json:"since"`
	SuspendedAt *time.Time `json:"suspended_at" doc:"null = in good standing"`
}

// MeBody is an account as its owner sees it.
type MeBody struct {
	AccountID          uuid.UUID        `json:"account_id"`
	Email              string           `json:"email"`
	EmailConfirmed     bool             `json:"email_confirmed"`
	Name               string           `json:"name"`
	CreatedAt          time.Time        `json:"created_at"`
	LastLoginAt        *time.Time       `json:"last_login_at"`
	PasswordChangedAt  time.Time        `json:"password_changed_at"`
	MustChangePassword bool             `json:"must_change_password"`
	PlatformAdmin      bool             `json:"platform_admin"`
	TOTP               bool             `json:"totp" doc:"Whether a second factor is on"`
	RecoveryCodesLeft  int64            `json:"recovery_codes_left"`
	SessionID          uuid.UUID        `json:"session_id"`
	LicenseID          *uuid.UUID       `json:"license_id" format:"uuid" nullable:"true" doc:"The license that this token speaks for"`
	Role               *auth.Role       `json:"role" enum:"owner,admin,viewer" doc:"Its role in this token"`
	Memberships        []MembershipBody `json:"memberships" doc:"Every license of the account; POST /api/auth/token switches"`
}

// TokenBody chooses a license.
type TokenBody struct {
	_         struct{}  `json:"-" additionalProperties:"false"`
	LicenseID uuid.UUID `json:"license_id" format:"uuid" doc:"One of the account's"`
}

func (s *Server) registerMe() {
	registerAccount(s, huma.Operation{
		OperationID: "me", Method: http.MethodGet, Path: mePath, Security: private(), Summary: "Who is asking",
	}, s.me)
	registerAccount(s, huma.Operation{
		OperationID: "switchLicense", Method: http.MethodPost, Path: tokenPath, Security: private(),
		Summary:     "Get a token for another license of the account",
		Description: "The session keeps to it: later refreshes give tokens for the same license. A license that is not the account's is a 404.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body TokenBody }) (*tokensOutput, error) {
		who, err := st.person()
		if err != nil {
			return nil, err
		}
		grant, err := s.deps.Accounts.Switch(ctx, who, in.Body.LicenseID)
		if err != nil {
			return nil, err
		}
		return tokensOf(st, grant, false), nil
	})
}

func (s *Server) me(ctx context.Context, st *requestState, _ *struct{}) (*struct{ Body MeBody }, error) {
	who, err := st.person()
	if err != nil {
		return nil, err
	}
	p, err := s.deps.Accounts.Me(ctx, who)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body MeBody }{MeBody{
		AccountID: p.User.ID, Email: p.User.Email, EmailConfirmed: p.User.EmailConfirmedAt != nil, Name: p.User.Name,
		CreatedAt: p.User.CreatedAt.UTC(), LastLoginAt: utc(p.User.LastLoginAt), PasswordChangedAt: p.User.PasswordChangedAt.UTC(),
		MustChangePassword: p.User.MustChangePassword, PlatformAdmin: p.User.PlatformAdmin,
		TOTP: p.TOTP, RecoveryCodesLeft: p.RecoveryCodes, SessionID: who.Session, Memberships: membershipBodies(p.Memberships),
	}}
	if who.License != uuid.Nil {
		out.Body.LicenseID, out.Body.Role = &who.License, &st.identity.Role
	}
	return out, nil
}

// PasswordBody changes the password.
type PasswordBody struct {
	_               struct{} `json:"-" additionalProperties:"false"`
	CurrentPassword string   `json:"current_password" minLength:"1"`
	NewPassword     string   `json:"new_password" minLength:"1" doc:"8 to 1024 bytes, and not easy to guess."`
}

// ResetBody asks for a link.
type ResetBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	EmailField
}

// ResetConfirmBody sets the password with a link's token.
type ResetConfirmBody struct {
	_           struct{} `json:"-" additionalProperties:"false"`
	Token       string   `json:"token" minLength:"1" maxLength:"200" doc:"What stands in the link behind #token="`
	NewPassword string   `json:"new_password" minLength:"1" doc:"8 to 1024 bytes, and not easy to guess."`
}

func (s *Server) registerPasswords() {
	registerAccount(s, huma.Operation{
		OperationID: "changePassword", Method: http.MethodPost, Path: passwordPath, Security: private(),
		Summary:     "Change the password",
		Description: "All other sessions end. The answer has an access token that is not bound to a change of the password any more.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body PasswordBody }) (*tokensOutput, error) {
		who, err := st.person()
		if err != nil {
			return nil, err
		}
		grant, err := s.deps.Accounts.ChangePassword(ctx, who, in.Body.CurrentPassword, in.Body.NewPassword)
		if err != nil {
			return nil, newPasswordFault(err)
		}
		return tokensOf(st, grant, false), nil
	})
	registerAccount(s, huma.Operation{
		OperationID: "requestPasswordReset", Method: http.MethodPost, Path: resetPath, DefaultStatus: http.StatusAccepted,
		Summary: "Ask for a link to set a new password",
		Description: "The answer is the same whether the email has an account or not. Where this server sends no mail, a platform administrator " +
			"who asks with a token gets the link and hands it over (404 = no such account); so does `corrosion admin reset-link`.",
	}, s.requestReset)
	registerAccount(s, huma.Operation{
		OperationID: "confirmPasswordReset", Method: http.MethodPost, Path: resetConfirmPath, DefaultStatus: http.StatusNoContent,
		Summary: "Set a new password with a link", Description: "All sessions end. A second factor stays.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body ResetConfirmBody }) (*struct{}, error) {
		return nil, newPasswordFault(s.deps.Accounts.ConfirmReset(ctx, in.Body.Token, in.Body.NewPassword, st.origin()))
	})
}

// newPasswordFault makes a fault of the body of a new password that will not do.
func newPasswordFault(err error) error { return passwordFault("new_password", err) }

// passwordFault does so for the password in a field.
func passwordFault(field string, err error) error {
	for _, fault := range []error{account.ErrWeakPassword, auth.ErrPasswordLength} {
		if errors.Is(err, fault) {
			return bodyFault(field, fault)
		}
	}
	return err
}

func (s *Server) requestReset(ctx context.Context, st *requestState, in *struct{ Body ResetBody }) (*acceptedOutput, error) {
	out := s.accepted()
	if st.identity == nil || !st.identity.PlatformAdmin || s.deps.Accounts.MailEnabled() {
		return out, s.deps.Accounts.RequestReset(ctx, in.Body.address(), st.origin())
	}
	who, err := st.person()
	if err != nil {
		return nil, err
	}
	live, err := s.deps.Accounts.Live(ctx, who.Account, who.Session)
	if err != nil {
		return nil, err
	}
	if !live || st.identity.MustChangePassword {
		return nil, account.ErrSessionEnded
	}
	link, err := s.deps.Accounts.ResetLink(ctx, in.Body.address(), audit.Event{ActorID: &who.Account, Actor: "platform admin", Origin: who.Origin})
	out.Body.Link = &link
	return out, err
}
