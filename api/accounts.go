package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/auth"
)

// The paths of account routes.
const (
	accountPrefix    = "/api/auth"
	registerPath     = accountPrefix + "/register"
	confirmPath      = accountPrefix + "/email/confirm"
	loginPath        = accountPrefix + "/login"
	refreshPath      = accountPrefix + "/refresh"
	logoutPath       = accountPrefix + "/logout"
	mePath           = accountPrefix + "/me"
	tokenPath        = accountPrefix + "/token"
	passwordPath     = accountPrefix + "/password"
	resetPath        = passwordPath + "/reset"
	resetConfirmPath = resetPath + "/confirm"
	sessionsPath     = accountPrefix + "/sessions"
	totpPath         = accountPrefix + "/totp"
)

// registerAccounts is the table of account routes.
func (s *Server) registerAccounts() {
	s.registerSigningUp()
	s.registerSigningIn()
	s.registerMe()
	s.registerPasswords()
	s.registerSessions()
	s.registerTOTP()
}

// EmailField is an address in a body.
type EmailField struct {
	Email string `json:"email" minLength:"1" maxLength:"254" doc:"Address in any script; case does not tell accounts apart." example:"ada@example.org"`
}

// Resolve checks the address.
func (f *EmailField) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	if f.Email == "" {
		return nil
	}
	if _, err := account.ParseEmail(f.Email); err != nil {
		return []error{fault(prefix, "email", err, f.Email)}
	}
	return nil
}

func (f *EmailField) address() account.Email {
	email, _ := account.ParseEmail(f.Email) // has been checked
	return email
}

// RegisterBody asks for an account.
type RegisterBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	EmailField
	Password string `json:"password" minLength:"1" doc:"8 to 1024 bytes, and not easy to guess."`
	Name     string `json:"name,omitempty" doc:"What others see; up to 200 characters."`
}

// Resolve checks what the schema cannot say.
func (b *RegisterBody) Resolve(ctx huma.Context, prefix *huma.PathBuffer) (faults []error) {
	faults = b.EmailField.Resolve(ctx, prefix)
	if b.Password != "" {
		if err := account.CheckNewPassword(b.Password, b.address()); err != nil {
			faults = append(faults, fault(prefix, "password", err, nil))
		}
	}
	if b.Name != "" {
		if _, err := account.CleanName(b.Name); err != nil {
			faults = append(faults, fault(prefix, "name", err, b.Name))
		}
	}
	return faults
}

// AcceptedBody says no more than that a request was taken.
type AcceptedBody struct {
	Status string  `json:"status" enum:"accepted" doc:"The same whether there is such an account or not"`
	Mail   bool    `json:"mail" doc:"Whether this server sends mail: then look into the mailbox"`
	Link   *string `json:"link,omitempty" doc:"The link that would be mailed: given to platform administrators where no mail is sent"`
}

type acceptedOutput struct {
	Status int
	Body   AcceptedBody
}

func (s *Server) accepted() *acceptedOutput {
	return &acceptedOutput{Status: http.StatusAccepted, Body: AcceptedBody{Status: "accepted", Mail: s.deps.Accounts.MailEnabled()}}
}

// ConfirmBody proves that a mailbox and a registration belong to one person.
type ConfirmBody struct {
	_        struct{} `json:"-" additionalProperties:"false"`
	Token    string   `json:"token" minLength:"1" maxLength:"200" doc:"What stands in the link behind #token="`
	Password string   `json:"password" minLength:"1" doc:"The one that was registered"`
	Delivery
}

func (s *Server) registerSigningUp() {
	registerAccount(s, huma.Operation{
		OperationID: "register", Method: http.MethodPost, Path: registerPath, DefaultStatus: http.StatusAccepted,
		Summary: "Make an account",
		Description: "The answer is the same whether the email has an account or not; its owner is told by mail. Where this server sends mail " +
			"the account exists once the link in it has been opened; otherwise at once.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body RegisterBody }) (*acceptedOutput, error) {
		name, _ := account.CleanName(in.Body.Name) // has been checked, and may be empty
		err := s.deps.Accounts.Register(ctx, account.Registration{
			Email: in.Body.address(), Name: name, Password: in.Body.Password, Origin: st.origin(),
		})
		return s.accepted(), err
	})
	registerAccount(s, huma.Operation{
		OperationID: "confirmEmail", Method: http.MethodPost, Path: confirmPath,
		Summary:     "Confirm an email and sign in",
		Description: "Takes the token of the mail and the password that was registered.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body ConfirmBody }) (*tokensOutput, error) {
		if err := in.Body.allowed(st); err != nil {
			return nil, err
		}
		grant, err := s.deps.Accounts.ConfirmEmail(ctx, in.Body.Token, in.Body.Password, st.origin())
		if err != nil {
			return nil, err
		}
		return tokensOf(st, grant, in.Body.inBody()), nil
	})
}

// Delivery says where the refresh token goes.
type Delivery struct {
	Delivery string `json:"delivery,omitempty" enum:"cookie,body" default:"cookie" doc:"Where the refresh token goes: cookie (HttpOnly, for browsers) or body (for scripts)"`
}

func (d Delivery) inBody() bool { return d.Delivery == "body" }

// allowed keeps pages of other sites from putting their own account into somebody's browser.
func (d Delivery) allowed(st *requestState) error {
	if !d.inBody() && st.browser.foreign {
		return errCrossSite
	}
	return nil
}

// LoginBody asks for a session.
type LoginBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	EmailField
	Password  string     `json:"password" minLength:"1"`
	Code      string     `json:"code,omitempty" maxLength:"40" doc:"Of the second factor, or a recovery code; where the account has one"`
	LicenseID *uuid.UUID `json:"license_id,omitempty" format:"uuid" doc:"The license to speak for; default: the one where the account may do most"`
	Delivery
}

// RefreshBody carries the refresh token of a script; browsers send their cookie.
type RefreshBody struct {
	_            struct{}   `json:"-" additionalProperties:"false"`
	RefreshToken string     `json:"refresh_token,omitempty" maxLength:"200" doc:"Absent = it comes in the cookie, and the next one goes there"`
	LicenseID    *uuid.UUID `json:"license_id,omitempty" format:"uuid" doc:"The license to speak for from now on; default: the same as before"`
}

// LogoutBody names the session to end.
type LogoutBody struct {
	_            struct{} `json:"-" additionalProperties:"false"`
	RefreshToken string   `json:"refresh_token,omitempty" maxLength:"200" doc:"Absent = it comes in the cookie, or the session is the bearer token's"`
}

// TokensBody is what a person's programs work with.
type TokensBody struct {
	AccessToken        string     `json:"access_token" doc:"For Authorization: Bearer; keep it in memory"`
	TokenType          string     `json:"token_type" enum:"Bearer"`
	ExpiresIn          int        `json:"expires_in" doc:"Seconds that the access token lives"`
	ExpiresAt          time.Time  `json:"expires_at"`
	RefreshToken       string     `json:"refresh_token,omitempty" doc:"With delivery body; counts once"`
	RefreshExpiresAt   *time.Time `json:"refresh_expires_at,omitempty" doc:"When the session ends unless it is used"`
	LicenseID          *uuid.UUID `json:"license_id" format:"uuid" nullable:"true" doc:"The license that the token speaks for; null = the account belongs to none"`
	Role               *auth.Role `json:"role" enum:"owner,admin,viewer"`
	MustChangePassword bool       `json:"must_change_password" doc:"True = nothing else is allowed until it is changed"`
	PlatformAdmin      bool       `json:"platform_admin"`
}

type tokensOutput struct {
	SetCookie string `header:"Set-Cookie"`
	Body      TokensBody
}

// tokensOf writes a grant; the refresh token goes into the cookie or into the body, never into both.
func tokensOf(st *requestState, grant *account.Grant, inBody bool) *tokensOutput {
	out := &tokensOutput{Body: TokensBody{
		AccessToken: grant.AccessToken, TokenType: "Bearer", ExpiresAt: grant.ExpiresAt.UTC(),
		MustChangePassword: grant.Identity.MustChangePassword, PlatformAdmin: grant.Identity.PlatformAdmin,
	}}
	out.Body.ExpiresIn = int(grant.ExpiresAt.Sub(st.started).Round(time.Second).Seconds())
	if grant.Identity.License != uuid.Nil {
		out.Body.LicenseID, out.Body.Role = &grant.Identity.License, &grant.Identity.Role
	}
	if grant.RefreshToken == "" {
		return out
	}
	expires := grant.RefreshExpires.UTC()
	out.Body.RefreshExpiresAt = &expires
	if inBody {
		out.Body.RefreshToken = grant.RefreshToken
	} else {
		out.SetCookie = st.cookie(grant.RefreshToken, expires)
	}
	return out
}

func (s *Server) registerSigningIn() {
	registerAccount(s, huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: loginPath,
		Summary: "Sign in",
		Description: "An unknown email, a wrong password and an email that is not confirmed look the same. Bad tries are counted by email and by " +
			"address; after some, each waits twice as long as the one before, up to 15 minutes.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body LoginBody }) (*tokensOutput, error) {
		if err := in.Body.allowed(st); err != nil {
			return nil, err
		}
		grant, err := s.deps.Accounts.Login(ctx, account.Login{
			Email: in.Body.address(), Password: in.Body.Password, Code: in.Body.Code, License: in.Body.LicenseID, Origin: st.origin(),
		})
		if err != nil {
			return nil, err
		}
		return tokensOf(st, grant, in.Body.inBody()), nil
	})
	registerAccount(s, huma.Operation{
		OperationID: "refresh", Method: http.MethodPost, Path: refreshPath,
		Summary: "Get new tokens for a refresh token",
		Description: "A refresh token counts once; using it again ends its session, but for ten seconds in which several tabs may use the same one, " +
			"each getting its own successor, of which the first to be used retires the others.",
	}, s.refresh)
	registerAccount(s, huma.Operation{
		OperationID: "logout", Method: http.MethodPost, Path: logoutPath, DefaultStatus: http.StatusNoContent,
		Summary:     "End a session",
		Description: "The refresh token's, or else the bearer token's. A session that has ended already is fine. Access tokens live on for up to 15 minutes.",
	}, s.logout)
}

func (s *Server) refresh(ctx context.Context, st *requestState, in *struct {
	Body *RefreshBody `required:"false"`
}) (*tokensOutput, error) {
	var body RefreshBody
	if in.Body != nil {
		body = *in.Body
	}
	token, inBody := body.RefreshToken, body.RefreshToken != ""
	if !inBody {
		if st.browser.foreign {
			return nil, errCrossSite
		}
		token = st.browser.cookie
	}
	grant, err := s.deps.Accounts.Refresh(ctx, token, body.LicenseID, st.origin())
	if err != nil {
		return nil, err
	}
	return tokensOf(st, grant, inBody), nil
}

type emptyOutput struct {
	SetCookie string `header:"Set-Cookie"`
}

func (s *Server) logout(ctx context.Context, st *requestState, in *struct {
	Body *LogoutBody `required:"false"`
}) (*emptyOutput, error) {
	if in.Body != nil && in.Body.RefreshToken != "" {
		return &emptyOutput{}, s.deps.Accounts.LogoutByToken(ctx, in.Body.RefreshToken, st.origin())
	}
	if st.browser.cookie != "" {
		if st.browser.foreign {
			return nil, errCrossSite
		}
		return &emptyOutput{SetCookie: st.cookie("", time.Unix(1, 0))}, s.deps.Accounts.LogoutByToken(ctx, st.browser.cookie, st.origin())
	}
	who, err := st.person()
	if err != nil {
		return nil, err
	}
	if err := s.deps.Accounts.Logout(ctx, who); err != nil && !errors.Is(err, account.ErrNoSession) {
		return nil, err
	}
	return &emptyOutput{}, nil
}
