package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/mail"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Registration asks for an account. Its fields have been checked; Name may be empty.
type Registration struct {
	Email          Email
	Name, Password string
	audit.Origin
}

// Register makes an account, or, where mail is sent, one that waits for the link in the mail. Whether the email has an
// account already is not told: the answer and the work are the same, and the owner is told by mail. It fails with
// ErrClosed, ThrottledError or auth.ErrBusy.
func (s *Service) Register(ctx context.Context, in Registration) error {
	if !s.cfg.Registration {
		return ErrClosed
	}
	if err := s.begin(ctx, s.signupTry(in.Address)); err != nil {
		return err
	}
	hash, err := s.hasher.Hash(ctx, in.Password)
	if err != nil {
		return fmt.Errorf("hash the password: %w", err)
	}
	if s.cfg.MailEnabled {
		return s.registerByMail(ctx, in, hash)
	}
	return s.store.Tx(ctx, func(q *pg.Queries) error {
		_, err := q.CreateUserIfNew(ctx, pg.CreateUserIfNewParams{
			ID: uuid.Must(uuid.NewV7()), Email: in.Email.Address, EmailKey: in.Email.Key, Name: in.Name, PasswordHash: hash,
		})
		if err != nil {
			return fmt.Errorf("store the account: %w", err)
		}
		return s.auditRegistered(ctx, q, in)
	})
}

func (s *Service) auditRegistered(ctx context.Context, q *pg.Queries, in Registration) error {
	return audit.Write(ctx, q, s.now(), audit.Event{
		Action: "account.registration", Actor: in.Email.Address, TargetKind: "account", Origin: in.Origin,
	})
}

// registerByMail does not look whether there is an account: the mail worker does, out of the asker's sight.
func (s *Service) registerByMail(ctx context.Context, in Registration, hash string) error {
	quiet, err := s.tooManyMails(ctx, in.Email)
	if err != nil {
		return err
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		now, id := s.now(), uuid.Must(uuid.NewV7())
		err := q.CreateRegistration(ctx, pg.CreateRegistrationParams{
			ID: id, Email: in.Email.Address, EmailKey: in.Email.Key, Name: in.Name, PasswordHash: hash, Now: now, ExpiresAt: now.Add(s.cfg.ConfirmTTL),
		})
		if err != nil {
			return fmt.Errorf("store the registration: %w", err)
		}
		if !quiet {
			if err := mail.Enqueue(ctx, q, now, mailRegistration, in.Email.Mailbox, registrationMail{id}); err != nil {
				return err
			}
		}
		return s.auditRegistered(ctx, q, in)
	})
	s.wake()
	return err
}

// ConfirmEmail makes the account of a registration with the token of its mail and signs in. The password is asked for
// again: who owns the mailbox and did not register does not know it, and so cannot be tricked into an account that
// somebody else can enter. It fails with ErrLink, ErrCredentials, ThrottledError or auth.ErrBusy.
func (s *Service) ConfirmEmail(ctx context.Context, token, password string, from audit.Origin) (grant *Grant, err error) {
	address := s.addressTry(from.Address)
	if err := s.begin(ctx, address); err != nil {
		return nil, err
	}
	digest, err := auth.TokenDigest(auth.ConfirmToken, token)
	if err != nil {
		return nil, ErrLink
	}
	waiting, err := s.store.Queries().FindRegistrationByToken(ctx, pg.FindRegistrationByTokenParams{TokenDigest: digest, Now: s.now()})
	if store.Missing(err) {
		return nil, ErrLink
	}
	if err != nil {
		return nil, fmt.Errorf("find the registration: %w", err)
	}
	ok, _, err := s.hasher.Check(ctx, waiting.PasswordHash, password)
	if err != nil {
		return nil, fmt.Errorf("check the password: %w", err)
	}
	if !ok {
		return nil, ErrCredentials
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) (err error) {
		grant, err = s.confirm(ctx, q, digest, from)
		return err
	})
	if err != nil {
		return nil, err
	}
	return grant, errors.Join(s.good(ctx, address))
}

func (s *Service) confirm(ctx context.Context, q *pg.Queries, digest []byte, from audit.Origin) (*Grant, error) {
	now := s.now()
	waiting, err := q.FindRegistrationByToken(ctx, pg.FindRegistrationByTokenParams{TokenDigest: digest, Now: now})
	if store.Missing(err) {
		return nil, ErrLink
	}
	if err != nil {
		return nil, fmt.Errorf("find the registration: %w", err)
	}
	id := uuid.Must(uuid.NewV7())
	rows, err := q.CreateUserIfNew(ctx, pg.CreateUserIfNewParams{
		ID: id, Email: waiting.Email, EmailKey: waiting.EmailKey, Name: waiting.Name, PasswordHash: waiting.PasswordHash, EmailConfirmedAt: &now,
	})
	if err != nil {
		return nil, fmt.Errorf("store the account: %w", err)
	}
	if rows == 0 {
		return nil, ErrLink // made by another way meanwhile
	}
	if err := q.DeleteRegistrations(ctx, waiting.EmailKey); err != nil {
		return nil, fmt.Errorf("remove the registration: %w", err)
	}
	user, err := q.LockUser(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("find the account: %w", err)
	}
	if err := audit.Write(ctx, q, now, event("account.confirmed", user, from, nil, "account", id.String())); err != nil {
		return nil, err
	}
	return s.openSession(ctx, q, user, nil, from)
}
