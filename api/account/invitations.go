package account

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/mail"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Invitation is one that waits.
type Invitation struct {
	ID        uuid.UUID
	Email     string
	Role      auth.Role
	Inviter   string
	CreatedAt time.Time
	ExpiresAt time.Time
	// Link is empty where it is mailed, and where it was given before.
	Link string
}

// Invitations are those that wait, the newest first; one that has expired waits until it is taken back or forgotten. It
// fails with ErrNoRight.
func (s *Service) Invitations(ctx context.Context, who Person) ([]Invitation, error) {
	q, _, err := s.read(ctx, who, auth.Admin)
	if err != nil {
		return nil, err
	}
	rows, err := q.ListInvitations(ctx, who.License)
	if err != nil {
		return nil, fmt.Errorf("list the invitations: %w", err)
	}
	waiting := make([]Invitation, len(rows))
	for i, r := range rows {
		waiting[i] = Invitation{r.ID, r.Email, auth.Role(r.Role), r.Inviter, r.CreatedAt, r.ExpiresAt, ""}
	}
	return waiting, nil
}

// Invite asks somebody to join, in the place of an invitation that waits for the same email. Where mail is sent the link
// goes to the email alone; otherwise whoever asks gets it and hands it over. Nobody gives more than they have. It fails
// with ErrNoRight, ErrMember, ErrTooMany or ThrottledError.
func (s *Service) Invite(ctx context.Context, who Person, email Email, role auth.Role) (made Invitation, err error) {
	if _, _, err := s.read(ctx, who, auth.Admin); err != nil {
		return made, err
	}
	if s.cfg.MailEnabled {
		if err := s.begin(ctx, s.inviterTry(who), s.inviteeTry(who, email)); err != nil {
			return made, err
		}
	}
	err = s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, _ pg.License) error {
		if !by.role.AtLeast(role) {
			return ErrNoRight
		}
		if err := s.roomFor(ctx, q, who.License, email); err != nil {
			return err
		}
		made = Invitation{ID: uuid.Must(uuid.NewV7()), Email: email.Address, Role: role, Inviter: by.user.Email, CreatedAt: s.now(), ExpiresAt: s.now().Add(s.cfg.InviteTTL)}
		if err := s.storeInvitation(ctx, q, by, email, &made); err != nil {
			return err
		}
		return s.write(ctx, q, by, "invitation.created", "invitation", made.ID.String(), map[string]any{"email": email.Address, "role": role})
	})
	if err != nil {
		return Invitation{}, err
	}
	s.wake()
	return made, nil
}

// roomFor makes place for an invitation of an email.
func (s *Service) roomFor(ctx context.Context, q *pg.Queries, license uuid.UUID, email Email) error {
	member, err := q.MemberByEmail(ctx, pg.MemberByEmailParams{LicenseID: license, EmailKey: email.Key})
	if err != nil {
		return fmt.Errorf("look for the member: %w", err)
	}
	if member {
		return ErrMember
	}
	waiting, err := q.CountInvitations(ctx, pg.CountInvitationsParams{LicenseID: license, Now: s.now(), EmailKey: email.Key})
	if err != nil {
		return fmt.Errorf("count the invitations: %w", err)
	}
	if waiting >= int64(s.cfg.MaxInvitations) {
		return ErrTooMany
	}
	err = q.RevokeInvitationsOfEmail(ctx, pg.RevokeInvitationsOfEmailParams{Now: s.now(), LicenseID: license, EmailKey: email.Key})
	return store.Wrap("take the invitation before back", err)
}

type invitationMail struct {
	Invitation uuid.UUID `json:"invitation"`
}

// storeInvitation stores it with its token, or with the mail that will have one.
func (s *Service) storeInvitation(ctx context.Context, q *pg.Queries, by actor, email Email, made *Invitation) error {
	var token string
	var digest []byte
	if !s.cfg.MailEnabled {
		token, digest = auth.NewToken(auth.InviteToken)
		made.Link = s.link("invitation", token)
	}
	err := q.CreateInvitation(ctx, pg.CreateInvitationParams{
		ID: made.ID, LicenseID: by.License, Email: email.Address, EmailKey: email.Key, Role: string(made.Role), InvitedBy: by.Account,
		Inviter: made.Inviter, TokenDigest: digest, Now: made.CreatedAt, ExpiresAt: made.ExpiresAt,
	})
	if err != nil {
		return fmt.Errorf("store the invitation: %w", err)
	}
	if !s.cfg.MailEnabled {
		return nil
	}
	return mail.Enqueue(ctx, q, made.CreatedAt, mailInvitation, email.Mailbox, invitationMail{made.ID})
}

// inviterTry counts what one account has mailed, inviteeTry what one license has mailed to one email.
func (s *Service) inviterTry(who Person) try {
	return try{"inviter", digestOf(who.Account.String()), s.cfg.Throttles.Signup}
}

func (s *Service) inviteeTry(who Person, email Email) try {
	return try{"invitee", digestOf(who.License.String() + " " + email.Key), s.cfg.Throttles.Mail}
}

// RevokeInvitation takes one back: its link is not good any more. It fails with ErrNoRight or ErrNoInvitation.
func (s *Service) RevokeInvitation(ctx context.Context, who Person, id uuid.UUID) error {
	return s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, _ pg.License) error {
		email, err := q.RevokeInvitation(ctx, pg.RevokeInvitationParams{Now: s.now(), ID: id, LicenseID: who.License})
		if store.Missing(err) {
			return ErrNoInvitation
		}
		if err != nil {
			return fmt.Errorf("take the invitation back: %w", err)
		}
		return s.write(ctx, q, by, "invitation.revoked", "invitation", id.String(), map[string]any{"email": email})
	})
}

// renderInvitation makes the link; an invitation that was taken back meanwhile is not mailed.
func (s *Service) renderInvitation(ctx context.Context, q *pg.Queries, item mail.Item) (*mail.Message, error) {
	var data invitationMail
	if err := json.Unmarshal(item.Data, &data); err != nil {
		return nil, fmt.Errorf("read mail data: %w", err)
	}
	row, err := q.FindInvitation(ctx, data.Invitation)
	if store.Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the invitation: %w", err)
	}
	if row.Invitation.AcceptedAt != nil || row.Invitation.RevokedAt != nil || !row.Invitation.ExpiresAt.After(s.now()) {
		return nil, nil
	}
	token, digest := auth.NewToken(auth.InviteToken)
	if err := q.SetInvitationToken(ctx, pg.SetInvitationTokenParams{ID: row.Invitation.ID, TokenDigest: digest}); err != nil {
		return nil, fmt.Errorf("store the link: %w", err)
	}
	return &mail.Message{To: item.To, Subject: "You are invited to " + row.LicenseName + " on Corrosion Stats", Text: row.Invitation.Inviter + " invites you to join \"" +
		row.LicenseName + "\" as " + row.Invitation.Role + ".\n\nOpen this link before " + row.Invitation.ExpiresAt.UTC().Format("2 January 2006 15:04 MST") + "; it works once:\n\n" +
		s.link("invitation", token) + "\n\nIf you do not know what this is about, do nothing.\n"}, nil
}

// Invited is what a link's token is good for.
type Invited struct {
	Invitation
	License     uuid.UUID
	LicenseName string
	emailKey    string
	digest      []byte
	// mailed tells that the token went to the email alone, so that who has it owns the mailbox.
	mailed bool
}

// LookAt reads the invitation of a token. It fails with ErrLink or ThrottledError.
func (s *Service) LookAt(ctx context.Context, token, address string) (*Invited, error) {
	counted := s.addressTry(address)
	if err := s.begin(ctx, counted); err != nil {
		return nil, err
	}
	in, err := s.lookAt(ctx, s.store.Queries(), token)
	if err != nil {
		return nil, err
	}
	return in, s.good(ctx, counted)
}

func (s *Service) lookAt(ctx context.Context, q *pg.Queries, token string) (*Invited, error) {
	digest, err := auth.TokenDigest(auth.InviteToken, token)
	if err != nil {
		return nil, ErrLink
	}
	row, err := q.FindInvitationByToken(ctx, pg.FindInvitationByTokenParams{TokenDigest: digest, Now: s.now()})
	if store.Missing(err) {
		return nil, ErrLink
	}
	if err != nil {
		return nil, fmt.Errorf("find the invitation: %w", err)
	}
	i := row.Invitation
	return &Invited{
		Invitation: Invitation{i.ID, i.Email, auth.Role(i.Role), i.Inviter, i.CreatedAt, i.ExpiresAt, ""},
		License:    i.LicenseID, LicenseName: row.LicenseName, emailKey: i.EmailKey, digest: digest, mailed: s.cfg.MailEnabled,
	}, nil
}
