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

// MemberBody is one of the people of a license.
type MemberBody struct {
	AccountID   uuid.UUID  `json:"account_id"`
	Email       *string    `json:"email" doc:"null for viewers, who see their own alone"`
	Name        string     `json:"name"`
	Role        auth.Role  `json:"role" enum:"owner,admin,viewer"`
	Since       time.Time  `json:"since"`
	LastLoginAt *time.Time `json:"last_login_at" doc:"null for viewers, and for who never signed in"`
	You         bool       `json:"you"`
	ETag        string     `json:"etag" doc:"For If-Match"`
}

// MembersBody are the people of a license.
type MembersBody struct {
	Members []MemberBody `json:"members" doc:"Those who may do most first"`
}

// RoleBody gives a role.
type RoleBody struct {
	_    struct{}  `json:"-" additionalProperties:"false"`
	Role auth.Role `json:"role" enum:"owner,admin,viewer"`
}

// WithdrawnBody counts what ended with a member's rights.
type WithdrawnBody struct {
	KeysEnded        int64 `json:"keys_ended" doc:"API keys that the member had made"`
	InvitationsEnded int64 `json:"invitations_ended" doc:"Invitations that the member had sent"`
}

// TransferBody gives a license away.
type TransferBody struct {
	_         struct{}  `json:"-" additionalProperties:"false"`
	AccountID uuid.UUID `json:"account_id" format:"uuid" doc:"A member of the license"`
	ProofBody
}

// ProofBody is asked for again before what cannot be taken back.
type ProofBody struct {
	Password string `json:"password" minLength:"1" doc:"Of the account that asks"`
	Code     string `json:"code,omitempty" maxLength:"40" doc:"Of the second factor, or a recovery code; where the account has one"`
}

// proofFault says in the body's words that a code is missing.
func proofFault(err error) error {
	if errors.Is(err, account.ErrTOTPRequired) {
		return bodyFault("code", account.ErrTOTPRequired)
	}
	return err
}

type memberInput struct {
	AccountID string `path:"account_id" format:"uuid" doc:"The member"`
}

type memberEditInput struct {
	AccountID string `path:"account_id" format:"uuid" doc:"The member"`
	IfMatch   string `header:"If-Match" doc:"The ETag that was read last: the change is refused where somebody else was faster."`
}

type memberOutput struct {
	ETag string `header:"ETag" doc:"For If-Match"`
	Body MemberBody
}

type withdrawnOutput struct{ Body WithdrawnBody }

func (s *Server) registerMembers() {
	registerMember(s, huma.Operation{
		OperationID: "listMembers", Method: http.MethodGet, Path: membersPath, Summary: "The people of the license",
	}, func(ctx context.Context, who account.Person, _ *struct{}) (*struct{ Body MembersBody }, error) {
		members, role, err := s.deps.Accounts.Members(ctx, who)
		out := &struct{ Body MembersBody }{MembersBody{[]MemberBody{}}}
		for _, m := range members {
			out.Body.Members = append(out.Body.Members, memberBody(m, who, role))
		}
		return out, err
	})
	registerMember(s, huma.Operation{
		OperationID: "getMember", Method: http.MethodGet, Path: memberPath, Summary: "One of the people of the license",
	}, func(ctx context.Context, who account.Person, in *memberInput) (*memberOutput, error) {
		id, err := idOf(in.AccountID)
		if err != nil {
			return nil, err
		}
		m, role, err := s.deps.Accounts.Member(ctx, who, id)
		return memberAnswer(m, who, role), err
	})
	registerMember(s, huma.Operation{
		OperationID: "changeRole", Method: http.MethodPatch, Path: memberPath, Summary: "Change what a member may do",
		Description: "For admins and owners. Nobody changes who may do more than they, and nobody gives more than they have. The last owner stays one. " +
			"API keys and invitations of one who becomes a viewer end.",
	}, s.changeRole)
	registerMember(s, huma.Operation{
		OperationID: "removeMember", Method: http.MethodDelete, Path: memberPath, Summary: "Take a member out",
		Description: "For admins and owners; the last owner stays. API keys that the member made and invitations that they sent end. " +
			"An access token that they hold reads analytics for up to 15 minutes more.",
	}, func(ctx context.Context, who account.Person, in *memberEditInput) (*withdrawnOutput, error) {
		id, err := idOf(in.AccountID)
		if err != nil {
			return nil, err
		}
		if id == who.Account {
			if role, err := s.deps.Accounts.Role(ctx, who); err != nil || !role.AtLeast(auth.Admin) {
				return nil, errors.Join(account.ErrNoRight, err) // viewers leave by the route for that
			}
		}
		return withdrawn(s.deps.Accounts.RemoveMember(ctx, who, id, fitting(in.IfMatch)))
	})
	s.registerLeaving()
}

func (s *Server) registerLeaving() {
	registerMember(s, huma.Operation{
		OperationID: "leaveLicense", Method: http.MethodPost, Path: leavePath, Summary: "Leave the license",
		Description: "Whoever asks is no member any more; the last owner stays. API keys that they made and invitations that they sent end.",
	}, func(ctx context.Context, who account.Person, _ *struct{}) (*withdrawnOutput, error) {
		return withdrawn(s.deps.Accounts.RemoveMember(ctx, who, who.Account, fitting("")))
	})
	registerMember(s, huma.Operation{
		OperationID: "transferLicense", Method: http.MethodPost, Path: transferPath, Summary: "Make another member the owner",
		Description: "For owners, with their password. Whoever asks becomes an admin.",
	}, func(ctx context.Context, who account.Person, in *struct{ Body TransferBody }) (*memberOutput, error) {
		m, err := s.deps.Accounts.Transfer(ctx, who, in.Body.AccountID, in.Body.Password, in.Body.Code)
		return memberAnswer(m, who, auth.Admin), proofFault(err)
	})
}

type roleInput struct {
	AccountID string `path:"account_id" format:"uuid" doc:"The member"`
	IfMatch   string `header:"If-Match" doc:"The ETag that was read last: the change is refused where somebody else was faster."`
	Body      RoleBody
}

func (s *Server) changeRole(ctx context.Context, who account.Person, in *roleInput) (*memberOutput, error) {
	id, err := idOf(in.AccountID)
	if err != nil {
		return nil, err
	}
	m, err := s.deps.Accounts.SetRole(ctx, who, id, in.Body.Role, fitting(in.IfMatch))
	return memberAnswer(m, who, auth.Admin), err
}

func withdrawn(ended account.Withdrawn, err error) (*withdrawnOutput, error) {
	return &withdrawnOutput{WithdrawnBody{ended.Keys, ended.Invitations}}, err
}

func memberAnswer(m account.Member, who account.Person, role auth.Role) *memberOutput {
	body := memberBody(m, who, role)
	return &memberOutput{body.ETag, body}
}

// memberBody is what the asker, who has role, may see of a member.
func memberBody(m account.Member, who account.Person, role auth.Role) MemberBody {
	b := MemberBody{
		AccountID: m.UserID, Name: m.Name, Role: auth.Role(m.Role), Since: m.CreatedAt.UTC(), You: m.UserID == who.Account, ETag: `"` + m.Tag() + `"`,
	}
	if b.You || role.AtLeast(auth.Admin) {
		b.Email, b.LastLoginAt = &m.Email, utc(m.LastLoginAt)
	}
	return b
}
