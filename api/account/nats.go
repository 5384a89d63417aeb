package account

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/audit"
	"corrosion/api/store"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// MaxOverlap bounds how long an old password may go on beside a new one.
const MaxOverlap = 30 * 24 * time.Hour

// Reasons why a NATS user is not made, rotated or revoked.
var (
	ErrNoLicense   = errors.New("there is no such license")
	ErrNoAgent     = errors.New("this server's agent has no NATS user")
	ErrAgentExists = errors.New("this server's agent has a NATS user already: revoke it first")
	ErrBadOverlap  = fmt.Errorf("overlap must be from 0 to %s", MaxOverlap)
	ErrBadServerID = errors.New("server id must be 1 to 64 of A-Z a-z 0-9 _ - and not reply, host, stats or events")
)

// NATSCredentials are shown once: passwords are kept as digests only.
// PreviousUntil is when the password before ends; nil = it has ended.
type NATSCredentials struct {
	LicenseID     uuid.UUID  `json:"license_id"`
	ServerID      string     `json:"server_id,omitempty"`
	NATSUser      string     `json:"nats_user"`
	NATSPassword  string     `json:"nats_password"`
	PreviousUntil *time.Time `json:"previous_until,omitempty"`
}

// serverUser is the NATS user of a license's game servers.
func serverUser(license uuid.UUID) string { return "server-" + license.String() }

// agentUser is the NATS user of one server's agent.
func agentUser(license uuid.UUID, serverID string) string {
	return "agent-" + license.String() + "-" + serverID
}

func newNATSPassword() (password string, digest []byte) {
	password = NewSecret()
	sum := sha256.Sum256([]byte(password))
	return password, sum[:]
}

// RotateNATS gives a license's game servers a new password. The old one holds
// for overlap (0 to MaxOverlap) more, and one before that no longer; then
// connections that showed it are ended within seconds, where a platform
// process runs. A license without a NATS user gets one. Its errors are
// ErrNoLicense, ErrBadOverlap and those of Postgres.
func RotateNATS(ctx context.Context, pool *pgxpool.Pool, license uuid.UUID, overlap time.Duration) (NATSCredentials, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return NATSCredentials{}, ErrBadOverlap
	}
	made := NATSCredentials{LicenseID: license}
	var digest []byte
	made.NATSPassword, digest = newNATSPassword()
	if overlap > 0 {
		until := time.Now().Add(overlap).UTC().Truncate(time.Millisecond)
		made.PreviousUntil = &until
	}
	err := store.New(pool).Tx(ctx, func(queries *pg.Queries) (err error) {
		made.NATSUser, err = queries.RotateNATSUser(ctx, pg.RotateNATSUserParams{
			LicenseID: license, PasswordSha256: digest, PreviousUntil: made.PreviousUntil,
		})
		if err == nil {
			return noteNATS(ctx, queries, "nats-user.rotated", license, made.NATSUser)
		}
		if !store.Missing(err) {
			return err
		}
		if err := licenseExists(ctx, queries, license); err != nil {
			return err
		}
		made.NATSUser, made.PreviousUntil = serverUser(license), nil
		err = queries.CreateNATSUser(ctx, pg.CreateNATSUserParams{Name: made.NATSUser, LicenseID: license, PasswordSha256: digest})
		return errors.Join(err, noteNATS(ctx, queries, "nats-user.created", license, made.NATSUser))
	})
	if err != nil {
		return NATSCredentials{}, fmt.Errorf("rotate the NATS password: %w", err)
	}
	return made, nil
}

// CreateAgentUser makes the NATS user of one server's agent. Its errors are
// ErrNoLicense, ErrBadServerID, ErrAgentExists and those of Postgres.
func CreateAgentUser(ctx context.Context, pool *pgxpool.Pool, license uuid.UUID, serverID string) (NATSCredentials, error) {
	if !schema.ValidServerID(serverID) {
		return NATSCredentials{}, ErrBadServerID
	}
	made := NATSCredentials{LicenseID: license, ServerID: serverID, NATSUser: agentUser(license, serverID)}
	var digest []byte
	made.NATSPassword, digest = newNATSPassword()
	err := store.New(pool).Tx(ctx, func(queries *pg.Queries) error {
		if err := licenseExists(ctx, queries, license); err != nil {
			return err
		}
		added, err := queries.CreateNATSAgentUser(ctx, pg.CreateNATSAgentUserParams{
			Name: made.NATSUser, LicenseID: license, ServerID: serverID, PasswordSha256: digest,
		})
		switch {
		case err != nil:
			return err
		case added == 0:
			return ErrAgentExists
		}
		return noteNATS(ctx, queries, "nats-user.created", license, made.NATSUser)
	})
	if err != nil {
		return NATSCredentials{}, fmt.Errorf("create the agent's NATS user: %w", err)
	}
	return made, nil
}

// RevokeAgentUser takes the NATS user of one server's agent away; its
// connections end within seconds. Its errors are ErrNoAgent and those of
// Postgres.
func RevokeAgentUser(ctx context.Context, pool *pgxpool.Pool, license uuid.UUID, serverID string) error {
	err := store.New(pool).Tx(ctx, func(queries *pg.Queries) error {
		gone, err := queries.DeleteNATSAgentUser(ctx, pg.DeleteNATSAgentUserParams{LicenseID: license, ServerID: serverID})
		switch {
		case err != nil:
			return err
		case gone == 0:
			return ErrNoAgent
		}
		return noteNATS(ctx, queries, "nats-user.revoked", license, agentUser(license, serverID))
	})
	if err != nil {
		return fmt.Errorf("revoke the agent's NATS user: %w", err)
	}
	return nil
}

// noteNATS writes down what was done to a NATS user, never its password.
func noteNATS(ctx context.Context, queries *pg.Queries, action string, license uuid.UUID, user string) error {
	return audit.Write(ctx, queries, time.Now(), audit.Done(ctx, action, license, "nats-user", user, nil))
}

func licenseExists(ctx context.Context, queries *pg.Queries, license uuid.UUID) error {
	_, err := queries.FindLicense(ctx, license)
	if store.Missing(err) {
		return ErrNoLicense
	}
	return err
}
