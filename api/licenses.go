package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// The paths of licenses: licensesPath is a person's, what is below licensePath belongs to the token's license.
const (
	licensesPath    = "/api/licenses"
	licensePath     = "/api/license"
	quotasPath      = licensePath + "/quotas"
	membersPath     = licensePath + "/members"
	memberPath      = membersPath + "/{account_id}"
	leavePath       = licensePath + "/leave"
	transferPath    = licensePath + "/transfer"
	invitationsPath = licensePath + "/invitations"
	keysPath        = licensePath + "/keys"
	natsUsersPath   = licensePath + "/nats-users"
	archivePath     = licensePath + "/archive"
	erasuresPath    = licensesPath + "/erasures"
	invitedPath     = accountPrefix + "/invitations/look"
	acceptPath      = accountPrefix + "/invitations/accept"
)

// registerLicenses is the table of license routes.
func (s *Server) registerLicenses() {
	s.registerMine()
	s.registerLicense()
	s.registerMembers()
	s.registerInvitations()
	s.registerJoining()
	s.registerKeys()
	s.registerNATSUsers()
	s.registerErasing()
	s.describeArchive()
	s.app.Get(archivePath, s.archive)
}

// registerMember adds a JSON route for a member of the token's license whose session is live; what the member may do at
// this moment is asked where it is done.
func registerMember[I, O any](s *Server, op huma.Operation, handle func(context.Context, account.Person, *I) (*O, error)) {
	op.Security, op.Tags = private(), []string{"Licenses"}
	registerAccount(s, op, func(ctx context.Context, st *requestState, in *I) (*O, error) {
		who, err := s.livePerson(ctx, st)
		if err != nil {
			return nil, err
		}
		if who.License == uuid.Nil {
			return nil, errNoLicense
		}
		if st.published() && op.Method != http.MethodGet {
			return nil, errForbidden
		}
		return handle(ctx, who, in)
	})
}

// livePerson is who asks, where that is a person whose session has not ended.
func (s *Server) livePerson(ctx context.Context, st *requestState) (account.Person, error) {
	who, err := st.person()
	if err != nil {
		return who, err
	}
	live, err := s.deps.Accounts.Live(ctx, who.Account, who.Session)
	if err == nil && !live {
		err = account.ErrSessionEnded
	}
	return who, err
}

// credential is what a live stream ends with: the session, or the API key; uuid.Nil in tokens of scripts.
func (st *requestState) credential() uuid.UUID {
	if st.identity.Key != nil {
		return st.identity.Key.ID
	}
	return st.identity.Session
}

// idOf reads an id of a path; what cannot be one does not exist.
func idOf(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return uuid.Nil, errNotFound
	}
	return id, nil
}

// fitting is the If-Match of a request, as a question.
func fitting(header string) func(string) bool {
	return func(tag string) bool { return fits(header, tag) }
}

// NameField is the name of a license or of a key in a body.
type NameField struct {
	Name string `json:"name" minLength:"1" doc:"1 to 200 characters of any script, without control characters." example:"My network"`
}

// Resolve checks the name.
func (f *NameField) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	if f.Name == "" {
		return nil
	}
	if _, err := account.CleanName(f.Name); err != nil {
		return []error{fault(prefix, "name", err, clip(f.Name))}
	}
	return nil
}

func (f *NameField) clean() string {
	name, _ := account.CleanName(f.Name) // has been checked
	return name
}

// LicenseNameBody names a license.
type LicenseNameBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	NameField
}

// MadeLicenseBody is shown once.
type MadeLicenseBody struct {
	LicenseID    uuid.UUID `json:"license_id"`
	Name         string    `json:"name"`
	Role         auth.Role `json:"role" enum:"owner"`
	NATSUser     string    `json:"nats_user" doc:"Of the game servers"`
	NATSPassword string    `json:"nats_password" doc:"Shown this once"`
	StatsSubject string    `json:"stats_subject" doc:"What game servers publish on"`
	InboxPrefix  string    `json:"inbox_prefix" doc:"What clients set as their inbox prefix, to hear JetStream's acknowledgements"`
}

// MyLicensesBody are the licenses of an account.
type MyLicensesBody struct {
	Licenses []MembershipBody `json:"licenses" doc:"Those where the account may do most first; POST /api/auth/token gives a token for one"`
}

func (s *Server) registerMine() {
	registerAccount(s, huma.Operation{
		OperationID: "createLicense", Method: http.MethodPost, Path: licensesPath, Security: private(), Tags: []string{"Licenses"},
		DefaultStatus: http.StatusCreated, Summary: "Make a license",
		Description: "Its maker becomes the owner. The NATS password is shown once. POST /api/auth/token gives a token for the new license.",
	}, s.createLicense)
	registerAccount(s, huma.Operation{
		OperationID: "listLicenses", Method: http.MethodGet, Path: licensesPath, Security: private(), Tags: []string{"Licenses"},
		Summary: "The licenses of the account",
	}, func(ctx context.Context, st *requestState, _ *struct{}) (*struct{ Body MyLicensesBody }, error) {
		who, err := st.person()
		if err != nil {
			return nil, err
		}
		rows, err := s.deps.Accounts.Licenses(ctx, who)
		return &struct{ Body MyLicensesBody }{MyLicensesBody{membershipBodies(rows)}}, err
	})
}

type madeLicenseOutput struct {
	Location string `header:"Location"`
	Body     MadeLicenseBody
}

func (s *Server) createLicense(ctx context.Context, st *requestState, in *struct{ Body LicenseNameBody }) (*madeLicenseOutput, error) {
	who, err := st.person()
	if err != nil {
		return nil, err
	}
	made, err := s.deps.Accounts.OpenLicense(ctx, who, in.Body.clean())
	if err != nil {
		return nil, err
	}
	return &madeLicenseOutput{licensePath, MadeLicenseBody{
		LicenseID: made.LicenseID, Name: in.Body.clean(), Role: auth.Owner, NATSUser: made.NATSUser, NATSPassword: made.NATSPassword,
		StatsSubject: schema.StatsSubject(made.LicenseID), InboxPrefix: schema.ReplyPrefix(made.LicenseID),
	}}, nil
}

func membershipBodies(rows []pg.ListMembershipsRow) []MembershipBody {
	bodies := []MembershipBody{}
	for _, m := range rows {
		bodies = append(bodies, MembershipBody{
			LicenseID: m.LicenseID, Name: m.Name, Role: m.Role, Since: m.CreatedAt.UTC(), SuspendedAt: utc(m.SuspendedAt),
		})
	}
	return bodies
}

// LicenseBody is the token's license.
type LicenseBody struct {
	LicenseID    uuid.UUID  `json:"license_id"`
	Name         string     `json:"name"`
	CreatedAt    time.Time  `json:"created_at"`
	SuspendedAt  *time.Time `json:"suspended_at" doc:"null = in good standing"`
	Role         *auth.Role `json:"role" enum:"owner,admin,viewer" doc:"What the asker may do; null for an API key"`
	StatsSubject string     `json:"stats_subject" doc:"What game servers publish on"`
	InboxPrefix  string     `json:"inbox_prefix" doc:"What clients of NATS set as their inbox prefix"`
}

type licenseOutput struct {
	ETag string `header:"ETag" doc:"For If-Match"`
	Body LicenseBody
}

type renameInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag that was read last: the change is refused where somebody else was faster."`
	Body    LicenseNameBody
}

func (s *Server) registerLicense() {
	tags := []string{"Licenses"}
	registerAccount(s, huma.Operation{
		OperationID: "getLicense", Method: http.MethodGet, Path: licensePath, Security: private(), Tags: tags, Summary: "The token's license",
	}, s.license)
	registerMember(s, huma.Operation{
		OperationID: "renameLicense", Method: http.MethodPatch, Path: licensePath, Summary: "Rename the license", Description: "For admins and owners.",
	}, func(ctx context.Context, who account.Person, in *renameInput) (*licenseOutput, error) {
		license, err := s.deps.Accounts.RenameLicense(ctx, who, in.Body.clean(), fitting(in.IfMatch))
		if err != nil {
			return nil, err
		}
		role, err := s.deps.Accounts.Role(ctx, who)
		return licenseOf(license, &role), err
	})
	registerAccount(s, huma.Operation{
		OperationID: "getQuotas", Method: http.MethodGet, Path: quotasPath, Security: private(), Tags: tags, Summary: "What the license may publish",
		Description: "null is without bound. What quotas refused is counted in GET /api/analytics/ingest. Operators change them.",
	}, func(ctx context.Context, st *requestState, _ *struct{}) (*struct{ Body IngestQuotas }, error) {
		license, err := st.license()
		if err != nil {
			return nil, err
		}
		q, err := s.deps.Quotas.Quotas(ctx, license)
		return &struct{ Body IngestQuotas }{IngestQuotas{
			bound(q.SamplesPerSecond), bound(q.BytesPerSecond), bound(q.Servers), bound(q.MetricNames),
		}}, err
	})
}

func (s *Server) license(ctx context.Context, st *requestState, _ *struct{}) (*licenseOutput, error) {
	id, err := st.license()
	if err != nil {
		return nil, err
	}
	license, err := s.deps.Accounts.License(ctx, id)
	if err != nil {
		return nil, err
	}
	if st.identity.Key != nil {
		return licenseOf(license, nil), nil
	}
	role := st.identity.Role
	if who, err := st.person(); err == nil {
		if role, err = s.deps.Accounts.Role(ctx, who); err != nil {
			return nil, err
		}
	}
	return licenseOf(license, &role), nil
}

func licenseOf(l pg.License, role *auth.Role) *licenseOutput {
	return &licenseOutput{`"` + account.LicenseTag(l) + `"`, LicenseBody{
		LicenseID: l.ID, Name: l.Name, CreatedAt: l.CreatedAt.UTC(), SuspendedAt: utc(l.SuspendedAt), Role: role,
		StatsSubject: schema.StatsSubject(l.ID), InboxPrefix: schema.ReplyPrefix(l.ID),
	}}
}
