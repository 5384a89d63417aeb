package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"corrosion/api/account"
	"corrosion/api/earlyaccess"
	"corrosion/schema"
)

// The paths of early access and of the roadmap.
const (
	earlyPath       = "/api/early-access"
	earlyAdminPath  = "/api/admin/early-access"
	earlyExportPath = earlyAdminPath + "/export"
	roadmapPath     = "/api/roadmap"
)

// earlyPublic tells the paths that need no token.
func earlyPublic(path string) bool {
	return path == earlyPath || path == roadmapPath || strings.HasPrefix(path, earlyPath+"/") || strings.HasPrefix(path, roadmapPath+"/")
}

// registerEarlyAccess is the table of its routes.
func (s *Server) registerEarlyAccess() {
	s.registerEarlyList()
	s.registerFounding()
	s.registerRoadmap()
	s.registerEarlyAdmin()
}

// WorkBody shows that somebody's machine has worked for the request.
type WorkBody struct {
	_         struct{} `json:"-" additionalProperties:"false"`
	Challenge string   `json:"challenge" minLength:"1" maxLength:"200" doc:"The text of GET /api/early-access/challenge"`
	Nonces    []uint32 `json:"nonces" maxItems:"64" nullable:"false" doc:"For puzzle i the number n for which SHA-256 of challenge:i:n begins with that many zero bits"`
}

// VisitorFields are in every body that a visitor sends. Website is not shown to people: who fills it in is a robot.
type VisitorFields struct {
	EmailField
	Proof   *WorkBody `json:"proof,omitempty" doc:"A solved challenge; needed only by addresses that ask often. Each counts once."`
	Website string    `json:"website,omitempty" maxLength:"400" doc:"Leave it out"`
}

// asker is who sent the fields. It fails with a fault of the body where the proof is none.
func (f *VisitorFields) asker(s *Server, st *requestState) (earlyaccess.Asker, error) {
	from := earlyaccess.Asker{Address: st.address, Trapped: f.Website != ""}
	if f.Proof == nil {
		return from, nil
	}
	var err error
	if from.Proof, err = s.deps.EarlyAccess.CheckProof(f.Proof.Challenge, f.Proof.Nonces); err != nil {
		return from, bodyFault("proof", err)
	}
	return from, nil
}

// workFault names the field of a proof of work that was used before.
func workFault(err error) error {
	if errors.Is(err, earlyaccess.ErrProof) {
		return bodyFault("proof", err)
	}
	return err
}

// EarlyAccessBody is how early access stands.
type EarlyAccessBody struct {
	LaunchAt time.Time    `json:"launch_at"`
	Now      time.Time    `json:"now" doc:"The server's clock, for a countdown that does not trust the reader's"`
	Signups  int64        `json:"signups" doc:"Emails on the list"`
	Founding FoundingBody `json:"founding"`
	Confirm  bool         `json:"confirm" doc:"Whether this server sends mail: then a vote counts, and a founding slot is kept, once the link in it has been opened"`
}

// FoundingBody are the slots of the founding program.
type FoundingBody struct {
	Total int64 `json:"total"`
	Taken int64 `json:"taken"`
	Left  int64 `json:"left"`
}

// ChallengeBody is work to do.
type ChallengeBody struct {
	Challenge string    `json:"challenge"`
	Algorithm string    `json:"algorithm" enum:"SHA-256"`
	Puzzles   int       `json:"puzzles" doc:"How many numbers are to be found"`
	Bits      int       `json:"bits" doc:"For each puzzle i from 0: SHA-256 of challenge:i:number must begin with so many zero bits"`
	ExpiresAt time.Time `json:"expires_at"`
}

// JoinBody puts somebody on the list.
type JoinBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	VisitorFields
	ServerCount int32 `json:"server_count" minimum:"1" maximum:"1000000" doc:"How many game servers the network has"`
}

// JoinedBody is a place on the list.
type JoinedBody struct {
	Status   string `json:"status" enum:"joined"`
	Position int64  `json:"position" doc:"From 1; it never changes"`
	Segment  string `json:"segment" enum:"1,2-5,6-25,26-100,101+"`
	Confirm  bool   `json:"confirm" doc:"Whether a mail with a link is on its way, to confirm the address"`
}

type joinedOutput struct {
	Status int
	Body   JoinedBody
}

// LinkBody is what stands in a link of a mail.
type LinkBody struct {
	_     struct{} `json:"-" additionalProperties:"false"`
	Token string   `json:"token" minLength:"1" maxLength:"200" doc:"What stands in the link behind #token="`
}

// ConfirmedBody is what a link did.
type ConfirmedBody struct {
	Status   string  `json:"status" enum:"confirmed"`
	Purpose  string  `json:"purpose" enum:"signup,vote,unvote"`
	Position *int64  `json:"position" doc:"Of a signup; else null"`
	Slot     *int16  `json:"slot" doc:"The founding slot of a signup; null = none"`
	Item     *string `json:"item" doc:"Of a vote; else null"`
	Votes    *int64  `json:"votes" doc:"Of that item"`
}

// registerEarly adds a JSON route that needs no license. Huma checks the body, handle gets what it read.
func registerEarly[I, O any](s *Server, op huma.Operation, handle func(context.Context, *requestState, *I) (*O, error)) {
	s.prepare(&op)
	if op.Tags == nil {
		op.Tags = []string{"Early access"}
	}
	op.MaxBodyBytes = maxAccountBody
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		st := stateFrom(ctx)
		err := newInputs(st.values, s.known[knownKey(op.Method, op.Path)], s.deps.Now(), schema.Retention{}).err()
		var out *O
		if err == nil {
			out, err = handle(ctx, st, in)
		}
		if err != nil {
			st.err = err
			return nil, newProblem(err, st.id)
		}
		return out, nil
	})
	s.learn(op)
}

// fresh keeps an answer from being shown when it is no longer so.
type fresh[T any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         T
}

func freshOf[T any](body T) *fresh[T] { return &fresh[T]{CacheControl: "no-cache", Body: body} }

func (s *Server) registerEarlyList() {
	registerEarly(s, huma.Operation{
		OperationID: "earlyAccess", Method: http.MethodGet, Path: earlyPath, Summary: "The launch, the list and the founding slots",
	}, func(ctx context.Context, _ *requestState, _ *struct{}) (*fresh[EarlyAccessBody], error) {
		status, err := s.deps.EarlyAccess.Status(ctx)
		return freshOf(EarlyAccessBody{
			LaunchAt: status.LaunchAt.UTC(), Now: status.Now.UTC(), Signups: status.Signups, Confirm: status.MailConfirmed, Founding: FoundingBody(status.Founding),
		}), err
	})
	registerEarly(s, huma.Operation{
		OperationID: "earlyAccessChallenge", Method: http.MethodGet, Path: earlyPath + "/challenge", Summary: "Get a challenge for a proof of work",
		Description: "Solved, it gives an address room for ten times as many requests. It counts once, for 15 minutes.",
	}, func(context.Context, *requestState, *struct{}) (*fresh[ChallengeBody], error) {
		c, err := s.deps.EarlyAccess.NewChallenge()
		return &fresh[ChallengeBody]{CacheControl: "no-store", Body: ChallengeBody{
			Challenge: c.Text, Algorithm: "SHA-256", Puzzles: c.Work.Puzzles, Bits: c.Work.Bits, ExpiresAt: c.ExpiresAt.UTC(),
		}}, err
	})
	registerEarly(s, huma.Operation{
		OperationID: "joinEarlyAccess", Method: http.MethodPost, Path: earlyPath, DefaultStatus: http.StatusCreated, Summary: "Join the list",
		Description: "201 with the place; the same email again is 200 with the same place, so the request may be repeated without an Idempotency-Key.",
		Responses:   map[string]*huma.Response{"200": {Description: "The email was on the list already"}},
	}, s.joinEarlyAccess)
	registerEarly(s, huma.Operation{
		OperationID: "confirmEarlyAccess", Method: http.MethodPost, Path: earlyPath + "/confirm", Summary: "Confirm a place or a vote",
		Description: "Takes the token of a mail, which counts once.",
	}, func(ctx context.Context, _ *requestState, in *struct{ Body LinkBody }) (*struct{ Body ConfirmedBody }, error) {
		done, err := s.deps.EarlyAccess.Confirm(ctx, in.Body.Token)
		if err != nil {
			return nil, err
		}
		return &struct{ Body ConfirmedBody }{confirmedBody(done)}, nil
	})
}

func confirmedBody(done earlyaccess.Confirmed) ConfirmedBody {
	body := ConfirmedBody{Status: "confirmed", Purpose: string(done.Purpose)}
	if done.Item != "" {
		body.Item, body.Votes = &done.Item, &done.Votes
		return body
	}
	body.Position = &done.Position
	if done.Slot > 0 {
		body.Slot = &done.Slot
	}
	return body
}

func (s *Server) joinEarlyAccess(ctx context.Context, st *requestState, in *struct{ Body JoinBody }) (*joinedOutput, error) {
	from, err := in.Body.asker(s, st)
	if err != nil {
		return nil, err
	}
	place, err := s.deps.EarlyAccess.Join(ctx, earlyaccess.Signup{Email: in.Body.address(), ServerCount: in.Body.ServerCount, Asker: from})
	if err != nil {
		return nil, workFault(err)
	}
	out := &joinedOutput{Status: http.StatusOK, Body: JoinedBody{Status: "joined", Position: place.Position, Segment: place.Segment, Confirm: place.Confirm}}
	if place.New {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// ClaimBody asks for a founding slot.
type ClaimBody struct {
	_ struct{} `json:"-" additionalProperties:"false"`
	VisitorFields
	NetworkName string `json:"network_name" minLength:"1" doc:"What the network is called; up to 200 characters."`
	ServerCount int32  `json:"server_count" minimum:"1" maximum:"1000000"`
}

// Resolve checks what the schema cannot say.
func (b *ClaimBody) Resolve(ctx huma.Context, prefix *huma.PathBuffer) (faults []error) {
	faults = b.EmailField.Resolve(ctx, prefix)
	if b.NetworkName != "" {
		if _, err := account.CleanName(b.NetworkName); err != nil {
			faults = append(faults, fault(prefix, "network_name", err, b.NetworkName))
		}
	}
	return faults
}

// ClaimedBody is a founding slot.
type ClaimedBody struct {
	Status    string     `json:"status" enum:"claimed"`
	Slot      int16      `json:"slot" minimum:"1" maximum:"25"`
	Position  int64      `json:"position" doc:"The place on the list, which the email is on, too"`
	Segment   string     `json:"segment" enum:"1,2-5,6-25,26-100,101+"`
	Confirm   bool       `json:"confirm" doc:"Whether a mail with a link is on its way, which must be opened to keep the slot"`
	HeldUntil *time.Time `json:"held_until" doc:"When the slot falls free unless the link has been opened; null = it is kept"`
}

type claimedOutput struct {
	Status int
	Body   ClaimedBody
}

func (s *Server) registerFounding() {
	registerEarly(s, huma.Operation{
		OperationID: "claimFoundingSlot", Method: http.MethodPost, Path: earlyPath + "/founding", DefaultStatus: http.StatusCreated, Summary: "Claim a founding slot",
		Description: "201 with one of the 25 slots; the same email again is 200 with the same slot. When all are taken the answer is 409 founding-full, and the " +
			"email is kept on the list.",
		Responses: map[string]*huma.Response{"200": {Description: "The email has a slot already"}, "409": s.problemResponse("All slots are taken")},
	}, s.claimFounding)
}

func (s *Server) claimFounding(ctx context.Context, st *requestState, in *struct{ Body ClaimBody }) (*claimedOutput, error) {
	from, err := in.Body.asker(s, st)
	if err != nil {
		return nil, err
	}
	network, _ := account.CleanName(in.Body.NetworkName) // has been checked
	slot, err := s.deps.EarlyAccess.Claim(ctx, earlyaccess.Signup{Email: in.Body.address(), ServerCount: in.Body.ServerCount, Asker: from}, network)
	if err != nil {
		return nil, workFault(err)
	}
	if slot.Full {
		return nil, earlyaccess.ErrFull
	}
	out := &claimedOutput{Status: http.StatusOK, Body: ClaimedBody{
		Status: "claimed", Slot: slot.Number, Position: slot.Position, Segment: slot.Segment, Confirm: slot.Confirm,
	}}
	if slot.New {
		out.Status = http.StatusCreated
	}
	if slot.HeldUntil != nil {
		until := slot.HeldUntil.UTC()
		out.Body.HeldUntil = &until
	}
	return out, nil
}
