package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// Enrolment is what an authenticator app needs; it is shown once and counts after its first code.
type Enrolment struct{ Secret, URI string }

// checkSecondFactor lets pass who has no second factor, a code of a time step that has not been used, or, where recovery
// is true, a recovery code, which is then used up.
func (s *Service) checkSecondFactor(ctx context.Context, q *pg.Queries, user uuid.UUID, code string, recovery bool) error {
	factor, err := q.FindTOTP(ctx, user)
	if store.Missing(err) || err == nil && factor.ConfirmedAt == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the second factor: %w", err)
	}
	if code == "" {
		return ErrTOTPRequired
	}
	if digest, ok := auth.RecoveryDigest(code); ok && recovery {
		return taken(q.UseRecoveryCode(ctx, pg.UseRecoveryCodeParams{UserID: user, Digest: digest, Now: s.now()}))
	}
	step, err := s.step(ctx, q, factor, code)
	if err != nil {
		return err
	}
	return taken(q.TakeTOTPStep(ctx, pg.TakeTOTPStepParams{UserID: user, Step: step}))
}

// taken turns the count of rows of a code's use into whether it was good.
func taken(rows int64, err error) error {
	if err != nil {
		return fmt.Errorf("use the code up: %w", err)
	}
	if rows == 0 {
		return ErrTOTPCode
	}
	return nil
}

// step finds the time step of a code; a secret under an older key is encrypted anew on the way.
func (s *Service) step(ctx context.Context, q *pg.Queries, factor pg.Totp, code string) (int64, error) {
	secret, err := s.keys.Decrypt(factor.KeyID, factor.UserID.String(), factor.Secret)
	if err != nil {
		return 0, err
	}
	step, ok := auth.TOTPStep(string(secret), code, s.now())
	if !ok {
		return 0, ErrTOTPCode
	}
	if factor.KeyID == s.keys.SecretKeyID() {
		return step, nil
	}
	keyID, sealed, err := s.keys.Encrypt(factor.UserID.String(), secret)
	if err != nil {
		return 0, err
	}
	err = q.ResealTOTP(ctx, pg.ResealTOTPParams{UserID: factor.UserID, Secret: sealed, KeyID: keyID, OldKeyID: factor.KeyID})
	return step, store.Wrap("encrypt the second factor anew", err)
}

// EnrolTOTP makes a secret that waits for its first code. It fails with ErrPassword, ErrTOTPOn or ThrottledError.
func (s *Service) EnrolTOTP(ctx context.Context, who Person, password string) (Enrolment, error) {
	user, err := s.reauthenticate(ctx, who, password)
	if err != nil {
		return Enrolment{}, err
	}
	secret, uri, err := auth.NewTOTP(user.Email)
	if err != nil {
		return Enrolment{}, err
	}
	keyID, sealed, err := s.keys.Encrypt(user.ID.String(), []byte(secret))
	if err != nil {
		return Enrolment{}, err
	}
	rows, err := s.store.Queries().PutPendingTOTP(ctx, pg.PutPendingTOTPParams{UserID: user.ID, Secret: sealed, KeyID: keyID, Now: s.now()})
	if err != nil {
		return Enrolment{}, fmt.Errorf("store the second factor: %w", err)
	}
	if rows == 0 {
		return Enrolment{}, ErrTOTPOn
	}
	return Enrolment{Secret: secret, URI: uri}, nil
}

// ConfirmTOTP turns the second factor on with its first code, and gives the recovery codes, which are shown once. It
// fails with ErrTOTPCode, ErrTOTPOn, ErrTOTPOff (nothing was enrolled) or ThrottledError.
func (s *Service) ConfirmTOTP(ctx context.Context, who Person, code string) (codes []string, err error) {
	err = s.withCode(ctx, who, func(q *pg.Queries, user pg.User) error {
		factor, err := q.FindTOTP(ctx, user.ID)
		if store.Missing(err) {
			return ErrTOTPOff
		}
		if err != nil {
			return fmt.Errorf("find the second factor: %w", err)
		}
		if factor.ConfirmedAt != nil {
			return ErrTOTPOn
		}
		step, err := s.step(ctx, q, factor, code)
		if err != nil {
			return err
		}
		if err := taken(q.ConfirmTOTP(ctx, pg.ConfirmTOTPParams{UserID: user.ID, Now: s.now(), Step: step})); err != nil {
			return err
		}
		if codes, err = replaceRecoveryCodes(ctx, q, user.ID); err != nil {
			return err
		}
		return s.changed(ctx, q, "account.totp-enabled", user, who)
	})
	return codes, err
}

// DisableTOTP turns the second factor off; it takes the password and a code. It fails with ErrPassword, ErrTOTPCode,
// ErrTOTPRequired, ErrTOTPOff or ThrottledError.
func (s *Service) DisableTOTP(ctx context.Context, who Person, password, code string) error {
	if _, err := s.reauthenticate(ctx, who, password); err != nil {
		return err
	}
	return s.withCode(ctx, who, func(q *pg.Queries, user pg.User) error {
		if err := s.requireSecondFactor(ctx, q, user, code, true); err != nil {
			return err
		}
		if _, err := q.DeleteTOTP(ctx, user.ID); err != nil {
			return fmt.Errorf("remove the second factor: %w", err)
		}
		if err := q.DeleteRecoveryCodes(ctx, user.ID); err != nil {
			return fmt.Errorf("remove the recovery codes: %w", err)
		}
		return s.changed(ctx, q, "account.totp-disabled", user, who)
	})
}

// NewRecoveryCodes replaces all recovery codes; it takes a code of the app. It fails like DisableTOTP.
func (s *Service) NewRecoveryCodes(ctx context.Context, who Person, password, code string) (codes []string, err error) {
	if _, err := s.reauthenticate(ctx, who, password); err != nil {
		return nil, err
	}
	err = s.withCode(ctx, who, func(q *pg.Queries, user pg.User) error {
		if err := s.requireSecondFactor(ctx, q, user, code, false); err != nil {
			return err
		}
		if codes, err = replaceRecoveryCodes(ctx, q, user.ID); err != nil {
			return err
		}
		return s.changed(ctx, q, "account.recovery-codes-replaced", user, who)
	})
	return codes, err
}

func (s *Service) requireSecondFactor(ctx context.Context, q *pg.Queries, user pg.User, code string, recovery bool) error {
	factor, err := q.FindTOTP(ctx, user.ID)
	if store.Missing(err) || err == nil && factor.ConfirmedAt == nil {
		return ErrTOTPOff
	}
	if err != nil {
		return fmt.Errorf("find the second factor: %w", err)
	}
	return s.checkSecondFactor(ctx, q, user.ID, code, recovery)
}

// withCode runs do in a transaction that holds the account, and counts a wrong code like a wrong password.
func (s *Service) withCode(ctx context.Context, who Person, do func(*pg.Queries, pg.User) error) error {
	counted, err := s.countPerson(ctx, who)
	if err != nil {
		return err
	}
	err = s.store.Tx(ctx, func(q *pg.Queries) error {
		user, err := q.LockUser(ctx, who.Account)
		if err != nil {
			return fmt.Errorf("find the account: %w", err)
		}
		return do(q, user)
	})
	if errors.Is(err, ErrTOTPCode) {
		return err
	}
	return errors.Join(err, s.good(ctx, counted))
}

func replaceRecoveryCodes(ctx context.Context, q *pg.Queries, user uuid.UUID) ([]string, error) {
	if err := q.DeleteRecoveryCodes(ctx, user); err != nil {
		return nil, fmt.Errorf("remove the recovery codes: %w", err)
	}
	codes, digests := auth.NewRecoveryCodes()
	err := q.CreateRecoveryCodes(ctx, pg.CreateRecoveryCodesParams{UserID: user, Digests: digests})
	return codes, store.Wrap("store the recovery codes", err)
}

// changed writes down a change to an account and tells its owner by mail.
func (s *Service) changed(ctx context.Context, q *pg.Queries, action string, user pg.User, who Person) error {
	if err := s.notify(ctx, q, user, action); err != nil {
		return err
	}
	return audit.Write(ctx, q, s.now(), event(action, user, who.Origin, who.license(), "account", user.ID.String()))
}
