package account

import (
	"context"
	"fmt"
	"time"

	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema"
	"corrosion/schema/pg"
)

// NATSUsers are the NATS users of the license: its game servers', then agents'. It fails with ErrNoRight.
func (s *Service) NATSUsers(ctx context.Context, who Person) ([]pg.ListLicenseNATSUsersRow, error) {
	q, _, err := s.read(ctx, who, auth.Admin)
	if err != nil {
		return nil, err
	}
	rows, err := q.ListLicenseNATSUsers(ctx, who.License)
	return rows, store.Wrap("list the NATS users", err)
}

// MakeNATSUser makes the NATS user of the game servers, where it was revoked, or that of one server's agent; the password
// is shown once. It fails with ErrNoRight, ErrBadServerID or ErrAgentExists.
func (s *Service) MakeNATSUser(ctx context.Context, who Person, serverID string) (made NATSCredentials, err error) {
	made = NATSCredentials{LicenseID: who.License, ServerID: serverID, NATSUser: serverUser(who.License)}
	if serverID != "" {
		if !schema.ValidServerID(serverID) {
			return NATSCredentials{}, ErrBadServerID
		}
		made.NATSUser = agentUser(who.License, serverID)
	}
	err = s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, _ pg.License) error {
		var digest []byte
		made.NATSPassword, digest = newNATSPassword()
		if err := storeNATSUser(ctx, q, made, digest); err != nil {
			return err
		}
		return s.write(ctx, q, by, "nats-user.created", "nats-user", made.NATSUser, nil)
	})
	if err != nil {
		return NATSCredentials{}, err
	}
	return made, nil
}

func storeNATSUser(ctx context.Context, q *pg.Queries, made NATSCredentials, digest []byte) error {
	rows, err := q.ListLicenseNATSUsers(ctx, made.LicenseID)
	if err != nil {
		return fmt.Errorf("list the NATS users: %w", err)
	}
	for _, row := range rows {
		if row.ServerID == made.ServerID {
			return ErrAgentExists
		}
	}
	if made.ServerID == "" {
		err = q.CreateNATSUser(ctx, pg.CreateNATSUserParams{Name: made.NATSUser, LicenseID: made.LicenseID, PasswordSha256: digest})
	} else {
		_, err = q.CreateNATSAgentUser(ctx, pg.CreateNATSAgentUserParams{
			Name: made.NATSUser, LicenseID: made.LicenseID, ServerID: made.ServerID, PasswordSha256: digest,
		})
	}
	return store.Wrap("store the NATS user", err)
}

// RotateNATSUser gives one NATS user of the license a new password; the old one holds for overlap, 0 to MaxOverlap, more. It
// fails with ErrNoRight, ErrNoNATSUser or ErrBadOverlap.
func (s *Service) RotateNATSUser(ctx context.Context, who Person, name string, overlap time.Duration) (made NATSCredentials, err error) {
	if overlap < 0 || overlap > MaxOverlap {
		return made, ErrBadOverlap
	}
	made = NATSCredentials{LicenseID: who.License, NATSUser: name}
	err = s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, _ pg.License) (err error) {
		var digest []byte
		made.NATSPassword, digest = newNATSPassword()
		if overlap > 0 {
			until := time.Now().Add(overlap).UTC().Truncate(time.Millisecond) // the gate goes by its own clock, too
			made.PreviousUntil = &until
		}
		made.ServerID, err = q.RotateNATSUserNamed(ctx, pg.RotateNATSUserNamedParams{
			PasswordSha256: digest, PreviousUntil: made.PreviousUntil, LicenseID: who.License, Name: name,
		})
		if store.Missing(err) {
			return ErrNoNATSUser
		}
		if err != nil {
			return fmt.Errorf("rotate the NATS password: %w", err)
		}
		return s.write(ctx, q, by, "nats-user.rotated", "nats-user", name, map[string]any{"previous_until": made.PreviousUntil})
	})
	if err != nil {
		return NATSCredentials{}, err
	}
	return made, nil
}

// RevokeNATSUser takes one NATS user of the license away; its connections end within seconds. It fails with ErrNoRight or
// ErrNoNATSUser.
func (s *Service) RevokeNATSUser(ctx context.Context, who Person, name string) error {
	return s.asMember(ctx, who, auth.Admin, func(q *pg.Queries, by actor, _ pg.License) error {
		gone, err := q.DeleteNATSUser(ctx, pg.DeleteNATSUserParams{LicenseID: who.License, Name: name})
		if err != nil {
			return fmt.Errorf("revoke the NATS user: %w", err)
		}
		if gone == 0 {
			return ErrNoNATSUser
		}
		return s.write(ctx, q, by, "nats-user.revoked", "nats-user", name, nil)
	})
}
