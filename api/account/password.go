package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/mail"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// ErrWeakPassword says that everybody would guess a password.
var ErrWeakPassword = errors.New("is too easy to guess")

// CheckNewPassword refuses passwords of a length that is out of bounds, and those that are the email, its parts, or one
// character again and again. It fails with auth.ErrPasswordLength or ErrWeakPassword.
func CheckNewPassword(password string, email Email) error {
	if len(password) < auth.MinPasswordLen || len(password) > auth.MaxPasswordLen {
		return auth.ErrPasswordLength
	}
	small := strings.ToLower(password)
	local, domain, _ := strings.Cut(strings.ToLower(email.Address), "@")
	for _, guess := range []string{strings.ToLower(email.Address), local, domain, "password", "passw0rd", "password1", "password123", "12345678", "123456789", "1234567890", "qwertyuiop", "corrosion"} {
		if small == guess {
			return ErrWeakPassword
		}
	}
	if strings.Trim(password, password[:1]) == "" {
		return ErrWeakPassword
	}
	return nil
}

// countPerson counts a try of a person whose session is known.
func (s *Service) countPerson(ctx context.Context, who Person) (try, error) {
	t := try{"person", digestOf(who.Account.String()), s.cfg.Throttles.Account}
	return t, s.begin(ctx, t)
}

// reauthenticate asks for the password again before what a stolen token must not do. It fails with ErrPassword or
// ThrottledError.
func (s *Service) reauthenticate(ctx context.Context, who Person, password string) (pg.User, error) {
	counted, err := s.countPerson(ctx, who)
	if err != nil {
		return pg.User{}, err
	}
	user, err := s.store.Queries().FindUser(ctx, who.Account)
	if err != nil {
		return pg.User{}, fmt.Errorf("find the account: %w", err)
	}
	ok, _, err := s.hasher.Check(ctx, user.PasswordHash, password)
	if err != nil {
		return pg.User{}, errors.Join(fmt.Errorf("check the password: %w", err), s.good(ctx, counted))
	}
	if !ok {
		return pg.User{}, errors.Join(ErrPassword, audit.Write(ctx, s.store.Queries(), s.now(),
			event("account.password-refused", user, who.Origin, who.license(), "account", user.ID.String())))
	}
	return user, s.good(ctx, counted)
}

// ChangePassword sets another password and ends all other sessions. The access token that it gives is not bound to a
// change of the password any more. It fails with ErrPassword, ErrWeakPassword, auth.ErrPasswordLength or ThrottledError.
func (s *Service) ChangePassword(ctx context.Context, who Person, current, next string) (grant *Grant, err error) {
	user, err := s.reauthenticate(ctx, who, current)
	if err != nil {
		return nil, err
	}
	email, err := ParseEmail(user.Email)
	if err != nil {
		return nil, err
	}
	if err := CheckNewPassword(next, email); err != nil {
		return nil, err
	}
	if next == current {
		return nil, ErrWeakPassword
	}
	hash, err := s.hasher.Hash(ctx, next)
	if err != nil {
		return nil, fmt.Errorf("hash the password: %w", err)
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		locked, err := q.LockUser(ctx, user.ID)
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		if locked.PasswordHash != user.PasswordHash {
			return ErrPassword
		}
		if err := s.setPassword(ctx, q, locked, hash, who.Session); err != nil {
			return err
		}
		locked.MustChangePassword = false
		member, err := pickLicense(ctx, q, user.ID, nil, who.license())
		if err != nil {
			return err
		}
		if grant, err = s.access(locked, who.Session, member); err != nil {
			return err
		}
		return s.changed(ctx, q, "account.password-changed", locked, who)
	})
	return grant, err
}

// setPassword stores a password, ends every session but keep, and makes links for resets worthless.
func (s *Service) setPassword(ctx context.Context, q *pg.Queries, user pg.User, hash string, keep uuid.UUID) error {
	now := s.now()
	if err := q.SetPassword(ctx, pg.SetPasswordParams{ID: user.ID, PasswordHash: hash, Now: now}); err != nil {
		return fmt.Errorf("store the password: %w", err)
	}
	if _, err := q.RevokeOtherSessions(ctx, pg.RevokeOtherSessionsParams{UserID: user.ID, Keep: keep, Now: now, RevokedFor: forPassword}); err != nil {
		return fmt.Errorf("end the sessions: %w", err)
	}
	return store.Wrap("remove links for resets", q.DeletePasswordResets(ctx, user.ID))
}

// RequestReset has a link mailed, should the email have an account; the answer, and the time it takes, is the same
// where it has none, because only the mail worker looks. Without mail nothing is sent: an administrator hands out
// ResetLink. It fails with ThrottledError for too many requests from one address.
func (s *Service) RequestReset(ctx context.Context, email Email, from audit.Origin) error {
	if err := s.begin(ctx, s.signupTry(from.Address)); err != nil {
		return err
	}
	quiet, err := s.tooManyMails(ctx, email)
	if err != nil {
		return err
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		if s.cfg.MailEnabled && !quiet {
			if err := mail.Enqueue(ctx, q, s.now(), mailReset, email.Mailbox, nil); err != nil {
				return err
			}
		}
		return audit.Write(ctx, q, s.now(), audit.Event{
			Action: "account.reset-requested", Actor: email.Address, TargetKind: "account", Origin: from,
		})
	})
	s.wake()
	return err
}

// tooManyMails tells whether an email has been sent enough for now.
func (s *Service) tooManyMails(ctx context.Context, email Email) (bool, error) {
	var throttled *ThrottledError
	err := s.begin(ctx, s.mailTry(email))
	if errors.As(err, &throttled) {
		return true, nil
	}
	return false, err
}

// MailEnabled tells whether links are mailed; otherwise administrators hand them out.
func (s *Service) MailEnabled() bool { return s.cfg.MailEnabled }

// ResetLink gives the administrator by the link that would be mailed. It fails with ErrNoAccount.
func (s *Service) ResetLink(ctx context.Context, email Email, by audit.Event) (link string, err error) {
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		user, err := q.FindUserByEmail(ctx, email.Key)
		if store.Missing(err) {
			return ErrNoAccount
		}
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		if link, err = s.newResetLink(ctx, q, user); err != nil {
			return err
		}
		by.Action, by.TargetKind, by.TargetID = "account.reset-link-given", "account", user.ID.String()
		return audit.Write(ctx, q, s.now(), by)
	})
	return link, err
}

func (s *Service) newResetLink(ctx context.Context, q *pg.Queries, user pg.User) (string, error) {
	token, digest := auth.NewToken(auth.ResetToken)
	now := s.now()
	err := q.CreatePasswordReset(ctx, pg.CreatePasswordResetParams{TokenDigest: digest, UserID: user.ID, Now: now, ExpiresAt: now.Add(s.cfg.ResetTTL)})
	if err != nil {
		return "", fmt.Errorf("store the link: %w", err)
	}
	return s.link("reset-password", token), nil
}

// link puts the token behind a #, which browsers do not send: it stands in no log.
func (s *Service) link(page, token string) string {
	return strings.TrimSuffix(s.cfg.PublicURL, "/") + "/" + page + "#token=" + token
}

// ConfirmReset sets the password with the token of a link and ends all sessions. The second factor stays. It fails with
// ErrLink, ErrWeakPassword, auth.ErrPasswordLength or ThrottledError.
func (s *Service) ConfirmReset(ctx context.Context, token, next string, from audit.Origin) error {
	address := s.addressTry(from.Address)
	if err := s.begin(ctx, address); err != nil {
		return err
	}
	email, hash, err := s.prepareReset(ctx, token, next)
	if err != nil {
		return err
	}
	digest, err := auth.TokenDigest(auth.ResetToken, token)
	if err != nil {
		return ErrLink
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		id, err := q.UsePasswordReset(ctx, pg.UsePasswordResetParams{TokenDigest: digest, Now: s.now()})
		if store.Missing(err) {
			return ErrLink
		}
		if err != nil {
			return fmt.Errorf("use the link up: %w", err)
		}
		user, err := q.LockUser(ctx, id)
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		if err := s.setPassword(ctx, q, user, hash, uuid.Nil); err != nil {
			return err
		}
		return s.changed(ctx, q, "account.password-reset", user, Person{Origin: from})
	})
	if err != nil {
		return err
	}
	return errors.Join(s.good(ctx, address), s.forget(ctx, s.accountTry(email)))
}

// prepareReset does what takes long before anything is locked, and only for a token that is good.
func (s *Service) prepareReset(ctx context.Context, token, next string) (email Email, hash string, err error) {
	digest, err := auth.TokenDigest(auth.ResetToken, token)
	if err != nil {
		return Email{}, "", ErrLink
	}
	id, err := s.store.Queries().FindPasswordReset(ctx, pg.FindPasswordResetParams{TokenDigest: digest, Now: s.now()})
	if store.Missing(err) {
		return Email{}, "", ErrLink
	}
	if err != nil {
		return Email{}, "", fmt.Errorf("find the link: %w", err)
	}
	user, err := s.store.Queries().FindUser(ctx, id)
	if err != nil {
		return Email{}, "", fmt.Errorf("find the account: %w", err)
	}
	if email, err = ParseEmail(user.Email); err != nil {
		return Email{}, "", err
	}
	if err := CheckNewPassword(next, email); err != nil {
		return Email{}, "", err
	}
	hash, err = s.hasher.Hash(ctx, next)
	return email, hash, err
}
