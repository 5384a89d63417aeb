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

// InviteBody asks somebody to join.
type InviteBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	EmailField
	Role auth.Role `json:"role" enum:"owner,admin,viewer" doc:"Not more than the asker's own"`
}

// InvitationBody is an invitation that waits.
type InvitationBody struct {
	InvitationID uuid.UUID `json:"invitation_id"`
	Email        string    `json:"email"`
	Role         auth.Role `json:"role" enum:"owner,admin,viewer"`
	InvitedBy    string    `json:"invited_by" doc:"Email of who sent it"`
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at" doc:"In the past = the link is not good any more: invite again"`
}

// MadeInvitationBody is an invitation as it was made.
type MadeInvitationBody struct {
	InvitationBody
	Mail bool    `json:"mail" doc:"Whether the link is mailed"`
	Link *string `json:"link" doc:"Where this server sends no mail: the link, shown once, to hand over"`
}

// InvitationsBody are those that wait.
type InvitationsBody struct {
	Invitations []InvitationBody `json:"invitations" doc:"The newest first"`
}

type invitationInput struct {
	ID string `path:"id" format:"uuid" doc:"The invitation"`
}

func (s *Server) registerInvitations() {
	registerMember(s, huma.Operation{
		OperationID: "invite", Method: http.MethodPost, Path: invitationsPath, DefaultStatus: http.StatusCreated,
		Summary: "Invite somebody",
		Description: "For admins and owners. The link is good for seven days and once, for the email that it names. Inviting an email again makes the " +
			"link before worthless. Where this server sends mail the link goes to the email alone; otherwise it is in the answer, to be handed over.",
	}, s.invite)
	registerMember(s, huma.Operation{
		OperationID: "listInvitations", Method: http.MethodGet, Path: invitationsPath, Summary: "Invitations that wait", Description: "For admins and owners.",
	}, func(ctx context.Context, who account.Person, _ *struct{}) (*struct{ Body InvitationsBody }, error) {
		waiting, err := s.deps.Accounts.Invitations(ctx, who)
		out := &struct{ Body InvitationsBody }{InvitationsBody{[]InvitationBody{}}}
		for _, i := range waiting {
			out.Body.Invitations = append(out.Body.Invitations, invitationBody(i))
		}
		return out, err
	})
	registerMember(s, huma.Operation{
		OperationID: "revokeInvitation", Method: http.MethodDelete, Path: invitationsPath + "/{id}", DefaultStatus: http.StatusNoContent,
		Summary: "Take an invitation back", Description: "For admins and owners.",
	}, func(ctx context.Context, who account.Person, in *invitationInput) (*struct{}, error) {
		id, err := idOf(in.ID)
		if err != nil {
			return nil, err
		}
		return nil, s.deps.Accounts.RevokeInvitation(ctx, who, id)
	})
}

func (s *Server) invite(ctx context.Context, who account.Person, in *struct{ Body InviteBody }) (*struct{ Body MadeInvitationBody }, error) {
	made, err := s.deps.Accounts.Invite(ctx, who, in.Body.address(), in.Body.Role)
	if err != nil {
		return nil, err
	}
	body := MadeInvitationBody{InvitationBody: invitationBody(made), Mail: s.deps.Accounts.MailEnabled()}
	if made.Link != "" {
		body.Link = &made.Link
	}
	return &struct{ Body MadeInvitationBody }{body}, nil
}

func invitationBody(i account.Invitation) InvitationBody {
	return InvitationBody{i.ID, i.Email, i.Role, i.Inviter, i.CreatedAt.UTC(), i.ExpiresAt.UTC()}
}

// InvitedBody is what a link is good for.
type InvitedBody struct {
	Email       string    `json:"email" doc:"Whose account may accept"`
	Role        auth.Role `json:"role" enum:"owner,admin,viewer"`
	InvitedBy   string    `json:"invited_by"`
	LicenseName string    `json:"license_name"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// InviteTokenBody shows a link's token.
type InviteTokenBody struct {
	_     struct{} `json:"-" additionalProperties:"false"`
	Token string   `json:"token" minLength:"1" maxLength:"200" doc:"What stands in the link behind #token="`
}

// AcceptBody accepts an invitation.
type AcceptBody struct {
	_        struct{} `json:"-" additionalProperties:"false"`
	Token    string   `json:"token" minLength:"1" maxLength:"200" doc:"What stands in the link behind #token="`
	Password string   `json:"password,omitempty" maxLength:"4096" doc:"Without a bearer token: of the email's account, or for the one that is made"`
	Code     string   `json:"code,omitempty" maxLength:"40" doc:"Of the account's second factor, where it has one"`
	Name     string   `json:"name,omitempty" doc:"Of an account that is made"`
	Delivery
}

// Resolve checks what the schema cannot say.
func (b *AcceptBody) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	if b.Name != "" {
		if _, err := account.CleanName(b.Name); err != nil {
			return []error{fault(prefix, "name", err, clip(b.Name))}
		}
	}
	return nil
}

func (s *Server) registerJoining() {
	tags := []string{"Licenses"}
	registerAccount(s, huma.Operation{
		OperationID: "lookAtInvitation", Method: http.MethodPost, Path: invitedPath, Tags: tags, Summary: "What an invitation is for",
		Description: "For the page behind the link. Nothing is used up.",
	}, func(ctx context.Context, st *requestState, in *struct{ Body InviteTokenBody }) (*struct{ Body InvitedBody }, error) {
		i, err := s.deps.Accounts.LookAt(ctx, in.Body.Token, st.address)
		if err != nil {
			return nil, err
		}
		return &struct{ Body InvitedBody }{InvitedBody{i.Email, i.Role, i.Inviter, i.LicenseName, i.ExpiresAt.UTC()}}, nil
	})
	registerAccount(s, huma.Operation{
		OperationID: "acceptInvitation", Method: http.MethodPost, Path: acceptPath, Tags: tags, Summary: "Accept an invitation",
		Description: "With a bearer token: as the account that is signed in, whose email must be the invited one. Without: with the password of that " +
			"email's account, or, where it has none, with the password for the account that is then made. The answer is a token for the license.",
	}, s.accept)
}

var errPasswordNeeded = errors.New("is needed, unless a bearer token says who accepts")

func (s *Server) accept(ctx context.Context, st *requestState, in *struct{ Body AcceptBody }) (*tokensOutput, error) {
	if st.identity != nil {
		who, err := s.livePerson(ctx, st)
		if err != nil {
			return nil, err
		}
		grant, err := s.deps.Accounts.Join(ctx, who, in.Body.Token)
		if err != nil {
			return nil, err
		}
		return tokensOf(st, grant, false), nil
	}
	if st.tokenErr != nil {
		return nil, st.tokenErr
	}
	if err := in.Body.allowed(st); err != nil {
		return nil, err
	}
	if in.Body.Password == "" {
		return nil, bodyFault("password", errPasswordNeeded)
	}
	name, _ := account.CleanName(in.Body.Name) // has been checked, and may be empty
	grant, err := s.deps.Accounts.JoinBySignIn(ctx, account.Acceptance{
		Token: in.Body.Token, Password: in.Body.Password, Code: in.Body.Code, Name: name, Origin: st.origin(),
	})
	if err != nil {
		return nil, passwordFault("password", err)
	}
	return tokensOf(st, grant, in.Body.inBody()), nil
}
