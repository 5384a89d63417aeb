// Package account makes licenses and the people and machines that may use them.
package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/auth"
	"corrosion/schema/pg"
)

// NewLicense asks for a license; Email, where given, becomes its owner.
type NewLicense struct {
	Name  string
	Email string
}

// CreatedLicense is shown once: passwords are kept as digests only. Password is the owner's, to be changed at the first
// sign-in; it is empty without an email or when the account was there before.
type CreatedLicense struct {
	LicenseID    uuid.UUID `json:"license_id"`
	NATSUser     string    `json:"nats_user"`
	NATSPassword string    `json:"nats_password"`
	Password     string    `json:"password,omitempty"`
}

// Validate names every field at fault.
func (n NewLicense) Validate() error {
	var faults []error
	if name := strings.TrimSpace(n.Name); name == "" || len(name) > 200 {
		faults = append(faults, errors.New("name must have 1 to 200 characters"))
	}
	if n.Email != "" {
		if address, err := mail.ParseAddress(n.Email); err != nil || address.Address != n.Email || len(n.Email) > 254 {
			faults = append(faults, fmt.Errorf("email %q is not an address", n.Email))
		}
	}
	return errors.Join(faults...)
}

// CreateLicense adds a license, the NATS user of its game servers and, for an email, its owner: all or nothing.
func CreateLicense(ctx context.Context, pool *pgxpool.Pool, want NewLicense) (CreatedLicense, error) {
	if err := want.Validate(); err != nil {
		return CreatedLicense{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return CreatedLicense{}, err
	}
	created := CreatedLicense{LicenseID: id, NATSUser: "server-" + id.String(), NATSPassword: NewSecret()}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		queries := pg.New(tx)
		if _, err := queries.CreateLicense(ctx, pg.CreateLicenseParams{ID: id, Name: strings.TrimSpace(want.Name)}); err != nil {
			return fmt.Errorf("store the license: %w", err)
		}
		digest := sha256.Sum256([]byte(created.NATSPassword))
		if err := queries.CreateNATSUser(ctx, pg.CreateNATSUserParams{Name: created.NATSUser, LicenseID: id, PasswordSha256: digest[:]}); err != nil {
			return fmt.Errorf("store the NATS user: %w", err)
		}
		if want.Email == "" {
			return nil
		}
		created.Password, err = addOwner(ctx, queries, id, want.Email)
		return err
	})
	if err != nil {
		return CreatedLicense{}, fmt.Errorf("create license: %w", err)
	}
	return created, nil
}

// addOwner makes an account unless there is one, and makes it the license's owner.
func addOwner(ctx context.Context, queries *pg.Queries, license uuid.UUID, email string) (password string, err error) {
	user, err := queries.FindUserByEmail(ctx, email)
	id := user.ID
	if errors.Is(err, pgx.ErrNoRows) {
		password = auth.NewPassword()
		id, err = createOwner(ctx, queries, email, password)
	}
	if err != nil {
		return "", fmt.Errorf("store the account: %w", err)
	}
	if err := queries.AddMember(ctx, pg.AddMemberParams{LicenseID: license, UserID: id, Role: string(auth.Owner)}); err != nil {
		return "", fmt.Errorf("store the membership: %w", err)
	}
	return password, nil
}

func createOwner(ctx context.Context, queries *pg.Queries, email, password string) (uuid.UUID, error) {
	hash, err := auth.HashPassword(password, auth.DefaultPasswordParams())
	if err != nil {
		return uuid.Nil, err
	}
	return queries.CreateUser(ctx, pg.CreateUserParams{ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: hash, MustChangePassword: true})
}

// NewSecret is a random password of 256 bits.
func NewSecret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

// CheckNATSUser tells whether a NATS user of a license that is not suspended has this password, and which license.
func CheckNATSUser(ctx context.Context, queries *pg.Queries, name, password string) (license uuid.UUID, ok bool, err error) {
	user, err := queries.FindNATSUser(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("find the NATS user: %w", err)
	}
	digest := sha256.Sum256([]byte(password))
	if subtle.ConstantTimeCompare(digest[:], user.PasswordSha256) != 1 || user.SuspendedAt != nil {
		return uuid.Nil, false, nil
	}
	return user.LicenseID, true, nil
}
