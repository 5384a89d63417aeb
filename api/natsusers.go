package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"corrosion/api/account"
	"corrosion/schema"
)

// NATSUserBody is a NATS user of a license.
type NATSUserBody struct {
	NATSUser      string     `json:"nats_user"`
	Kind          string     `json:"kind" enum:"server,agent" doc:"Of the game servers, or of one server's agent"`
	ServerID      *string    `json:"server_id" doc:"The agent's server"`
	CreatedAt     time.Time  `json:"created_at"`
	RotatedAt     *time.Time `json:"rotated_at"`
	PreviousUntil *time.Time `json:"previous_until" doc:"Until when the password before goes on; null = it has ended"`
}

// NATSUsersBody are those of a license.
type NATSUsersBody struct {
	NATSUsers []NATSUserBody `json:"nats_users"`
}

// NewNATSUserBody asks for a NATS user.
type NewNATSUserBody struct {
	_        struct{} `json:"-" additionalProperties:"false"`
	ServerID string   `json:"server_id,omitempty" doc:"Whose agent; absent = the user of the game servers, where it was revoked"`
}

// Resolve checks the server.
func (b *NewNATSUserBody) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	if b.ServerID != "" && !schema.ValidServerID(b.ServerID) {
		return []error{fault(prefix, "server_id", account.ErrBadServerID, clip(b.ServerID))}
	}
	return nil
}

// RotateBody says how long the old password goes on.
type RotateBody struct {
	_       struct{} `json:"-" additionalProperties:"false"`
	Overlap string   `json:"overlap,omitempty" doc:"How long the old password goes on beside the new one, up to 720h; absent = it ends now." example:"1h"`
}

// Resolve checks the duration.
func (b *RotateBody) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	if d, err := b.duration(); err != nil || d < 0 || d > account.MaxOverlap {
		return []error{fault(prefix, "overlap", account.ErrBadOverlap, clip(b.Overlap))}
	}
	return nil
}

func (b *RotateBody) duration() (time.Duration, error) {
	if b.Overlap == "" {
		return 0, nil
	}
	return time.ParseDuration(b.Overlap)
}

type natsUserInput struct {
	Name string `path:"nats_user" doc:"The user"`
}

type rotateInput struct {
	Name string      `path:"nats_user" doc:"The user"`
	Body *RotateBody `required:"false"`
}

type credentialsOutput struct{ Body account.NATSCredentials }

func (s *Server) registerNATSUsers() {
	registerMember(s, huma.Operation{
		OperationID: "listNATSUsers", Method: http.MethodGet, Path: natsUsersPath, Summary: "The license's NATS users", Description: "For admins and owners. Passwords are kept as digests and not shown again.",
	}, s.natsUsers)
	registerMember(s, huma.Operation{
		OperationID: "createNATSUser", Method: http.MethodPost, Path: natsUsersPath, DefaultStatus: http.StatusCreated, Summary: "Make a NATS user",
		Description: "For admins and owners. A license has one for its game servers, from the beginning, and one for each agent.",
	}, func(ctx context.Context, who account.Person, in *struct{ Body NewNATSUserBody }) (*credentialsOutput, error) {
		made, err := s.deps.Accounts.MakeNATSUser(ctx, who, in.Body.ServerID)
		return &credentialsOutput{made}, err
	})
	registerMember(s, huma.Operation{
		OperationID: "rotateNATSUser", Method: http.MethodPost, Path: natsUsersPath + "/{nats_user}/rotate", Summary: "Give a NATS user a new password",
		Description: "For admins and owners. Connections that showed the old one end within seconds, or after the overlap.",
	}, func(ctx context.Context, who account.Person, in *rotateInput) (*credentialsOutput, error) {
		var overlap time.Duration
		if in.Body != nil {
			overlap, _ = in.Body.duration() // has been checked
		}
		made, err := s.deps.Accounts.RotateNATSUser(ctx, who, in.Name, overlap)
		return &credentialsOutput{made}, err
	})
	registerMember(s, huma.Operation{
		OperationID: "revokeNATSUser", Method: http.MethodDelete, Path: natsUsersPath + "/{nats_user}", DefaultStatus: http.StatusNoContent,
		Summary: "Take a NATS user away", Description: "For admins and owners. Its connections end within seconds.",
	}, func(ctx context.Context, who account.Person, in *natsUserInput) (*struct{}, error) {
		return nil, s.deps.Accounts.RevokeNATSUser(ctx, who, in.Name)
	})
}

func (s *Server) natsUsers(ctx context.Context, who account.Person, _ *struct{}) (*struct{ Body NATSUsersBody }, error) {
	rows, err := s.deps.Accounts.NATSUsers(ctx, who)
	out := &struct{ Body NATSUsersBody }{NATSUsersBody{[]NATSUserBody{}}}
	for _, row := range rows {
		user := NATSUserBody{NATSUser: row.Name, Kind: row.Kind, CreatedAt: row.CreatedAt.UTC(), RotatedAt: utc(row.RotatedAt), PreviousUntil: utc(row.PreviousUntil)}
		if row.ServerID != "" {
			user.ServerID = &row.ServerID
		}
		out.Body.NATSUsers = append(out.Body.NATSUsers, user)
	}
	return out, err
}
