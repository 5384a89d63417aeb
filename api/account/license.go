// Package account makes licenses and the people and machines that may use them.
package account

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/store"
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
	if _, err := CleanName(n.Name); err != nil {
		faults = append(faults, fmt.Errorf("name %w", err))
	}
	if n.Email != "" {
		if _, err := ParseEmail(n.Email); err != nil {
			faults = append(faults, fmt.Errorf("email %q %w", n.Email, err))
		}
	}
	return errors.Join(faults...)
}

// CreateLicense adds a license, the NATS user of its game servers and, for an email, its owner: all or nothing.
func CreateLicense(ctx context.Context, pool *pgxpool.Pool, want NewLicense) (CreatedLicense, error) {
	if err := want.Validate(); err != nil {
		return CreatedLicense{}, err
	}
	var created CreatedLicense
	name, _ := CleanName(want.Name) // has been validated
	err := store.New(pool).Tx(ctx, func(queries *pg.Queries) (err error) {
		if created, err = addLicense(ctx, queries, name); err != nil {
			return err
		}
		note := audit.Done(ctx, "license.created", created.LicenseID, "license", created.LicenseID.String(), map[string]any{"name": name})
		if err := audit.Write(ctx, queries, time.Now(), note); err != nil {
			return err
		}
		if want.Email == "" {
			return nil
		}
		created.Password, err = addOwner(ctx, queries, created.LicenseID, want.Email)
		return err
	})
	if err != nil {
		return CreatedLicense{}, fmt.Errorf("create license: %w", err)
	}
	return created, nil
}

// addLicense adds a license and the NATS user of its game servers.
func addLicense(ctx context.Context, queries *pg.Queries, name string) (CreatedLicense, error) {
	id := uuid.Must(uuid.NewV7())
	created := CreatedLicense{LicenseID: id, NATSUser: serverUser(id)}
	var digest []byte
	created.NATSPassword, digest = newNATSPassword()
	if _, err := queries.CreateLicense(ctx, pg.CreateLicenseParams{ID: id, Name: name}); err != nil {
		return created, fmt.Errorf("store the license: %w", err)
	}
	if err := queries.CreateNATSUser(ctx, pg.CreateNATSUserParams{Name: created.NATSUser, LicenseID: id, PasswordSha256: digest}); err != nil {
		return created, fmt.Errorf("store the NATS user: %w", err)
	}
	return created, nil
}

// addOwner makes an account unless there is one, and makes it the license's owner.
func addOwner(ctx context.Context, queries *pg.Queries, license uuid.UUID, email string) (password string, err error) {
	address, err := ParseEmail(email)
	if err != nil {
		return "", err
	}
	user, err := queries.FindUserByEmail(ctx, address.Key)
	id := user.ID
	if store.Missing(err) {
		password = auth.NewPassword()
		id, err = createWithOneTimePassword(ctx, queries, address, password)
	}
	if err != nil {
		return "", fmt.Errorf("store the account: %w", err)
	}
	if err := queries.AddMember(ctx, pg.AddMemberParams{LicenseID: license, UserID: id, Role: string(auth.Owner)}); err != nil {
		return "", fmt.Errorf("store the membership: %w", err)
	}
	return password, nil
}

// createWithOneTimePassword makes an account whose password must be changed at the first sign-in.
func createWithOneTimePassword(ctx context.Context, queries *pg.Queries, email Email, password string) (uuid.UUID, error) {
	hash, err := auth.HashPassword(password, auth.DefaultPasswordParams())
	if err != nil {
		return uuid.Nil, err
	}
	return queries.CreateUser(ctx, pg.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: email.Address, EmailKey: email.Key, PasswordHash: hash, MustChangePassword: true,
	})
}

// NewSecret is a random password of 256 bits.
func NewSecret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw)
}
