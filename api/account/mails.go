package account

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/mail"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// The kinds of mail about accounts.
const (
	mailReset        = "account.reset"
	mailRegistration = "account.registration"
	mailChanged      = "account.changed"
	mailInvitation   = "license.invitation"
)

type registrationMail struct {
	Registration uuid.UUID `json:"registration"`
}

type changedMail struct {
	Action string `json:"action"`
}

// Renderers make the mails about accounts.
func (s *Service) Renderers() map[string]mail.Renderer {
	return map[string]mail.Renderer{
		mailReset: s.renderReset, mailRegistration: s.renderRegistration, mailChanged: s.renderChanged,
		mailInvitation: s.renderInvitation,
	}
}

func (s *Service) renderReset(ctx context.Context, q *pg.Queries, item mail.Item) (*mail.Message, error) {
	email, err := ParseEmail(item.To)
	if err != nil {
		return nil, err
	}
	user, err := q.FindUserByEmail(ctx, email.Key)
	if store.Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the account: %w", err)
	}
	link, err := s.newResetLink(ctx, q, user)
	if err != nil {
		return nil, err
	}
	return &mail.Message{To: item.To, Subject: "Set a new password for Corrosion Stats", Text: "Somebody, hopefully you, asked to set a new password.\n\n" +
		"Open this link within " + s.cfg.ResetTTL.String() + "; it works once:\n\n" + link + "\n\n" +
		"If it was not you, do nothing: your password stays as it is.\n"}, nil
}

// renderRegistration is where it shows whether an email has an account: to its owner alone.
func (s *Service) renderRegistration(ctx context.Context, q *pg.Queries, item mail.Item) (*mail.Message, error) {
	var data registrationMail
	if err := json.Unmarshal(item.Data, &data); err != nil {
		return nil, fmt.Errorf("read mail data: %w", err)
	}
	waiting, err := q.FindRegistration(ctx, data.Registration)
	if store.Missing(err) || err == nil && !waiting.ExpiresAt.After(s.now()) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the registration: %w", err)
	}
	_, err = q.FindUserByEmail(ctx, waiting.EmailKey)
	if err == nil {
		return &mail.Message{To: item.To, Subject: "You have a Corrosion Stats account already", Text: "Somebody, perhaps you, tried to register with this address, which has an account.\n\n" +
			"Nothing has changed. Sign in, or set a new password, at " + s.cfg.PublicURL + "\n"}, q.DeleteRegistrations(ctx, waiting.EmailKey)
	}
	if !store.Missing(err) {
		return nil, fmt.Errorf("find the account: %w", err)
	}
	token, digest := auth.NewToken(auth.ConfirmToken)
	if err := q.SetRegistrationToken(ctx, pg.SetRegistrationTokenParams{ID: waiting.ID, TokenDigest: digest}); err != nil {
		return nil, fmt.Errorf("store the link: %w", err)
	}
	return &mail.Message{To: item.To, Subject: "Confirm your Corrosion Stats account", Text: "Welcome. Open this link within " + s.cfg.ConfirmTTL.String() +
		" and enter the password that you chose:\n\n" + s.link("confirm-email", token) + "\n\n" +
		"If you did not register, do nothing: no account is made.\n"}, nil
}

// renderChanged tells an owner what was changed, in case it was somebody else.
func (s *Service) renderChanged(_ context.Context, _ *pg.Queries, item mail.Item) (*mail.Message, error) {
	var data changedMail
	if err := json.Unmarshal(item.Data, &data); err != nil {
		return nil, fmt.Errorf("read mail data: %w", err)
	}
	what := changes()[data.Action]
	if what == "" {
		return nil, nil
	}
	return &mail.Message{To: item.To, Subject: "Your Corrosion Stats account: " + what, Text: "On " + item.CreatedAt.UTC().Format("2 January 2006 15:04 MST") +
		": " + what + ".\n\nIf it was not you, set a new password at " + s.cfg.PublicURL + " and end all other sessions.\n"}, nil
}

// changes are what owners are told of.
func changes() map[string]string {
	return map[string]string{
		"account.password-changed":        "the password was changed",
		"account.password-reset":          "the password was set anew by a link",
		"account.totp-enabled":            "two-factor sign-in was turned on",
		"account.totp-disabled":           "two-factor sign-in was turned off",
		"account.recovery-codes-replaced": "the recovery codes were replaced",
	}
}

// notify puts the mail about a change into the outbox, where mail is sent at all.
func (s *Service) notify(ctx context.Context, q *pg.Queries, user pg.User, action string) error {
	if !s.cfg.MailEnabled {
		return nil
	}
	email, err := ParseEmail(user.Email)
	if err != nil {
		return err
	}
	return mail.Enqueue(ctx, q, s.now(), mailChanged, email.Mailbox, changedMail{action})
}
