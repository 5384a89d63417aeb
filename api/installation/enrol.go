package installation

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/account"
	"corrosion/api/audit"
	"corrosion/schema/pg"
)

// Credentials are all that an agent needs; they are shown once. The names are those that the agent reads.
type Credentials struct {
	LicenseID    uuid.UUID `json:"license_id"`
	ServerID     string    `json:"server_id"`
	NATSURL      string    `json:"nats_url" doc:"Where agents reach NATS"`
	NATSUser     string    `json:"nats_user"`
	NATSPassword string    `json:"nats_password"`
	PlatformKeys []string  `json:"platform_keys" doc:"Ed25519 public keys, base64: the agent does only what one of them signed"`
}

// PublicKeys tells who signs commands; *auth.Keys does.
type PublicKeys interface {
	PublicKeys() []ed25519.PublicKey
}

// Enrol makes the NATS user of one server's agent and tells it whom to obey. Its errors are account.ErrAgentExists,
// account.ErrNoLicense, account.ErrBadServerID and those of Postgres.
func Enrol(ctx context.Context, pool *pgxpool.Pool, keys PublicKeys, natsURL string, license uuid.UUID, server string) (Credentials, error) {
	made, err := account.CreateAgentUser(ctx, pool, license, server)
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{LicenseID: license, ServerID: server, NATSURL: natsURL, NATSUser: made.NATSUser, NATSPassword: made.NATSPassword}
	for _, key := range keys.PublicKeys() {
		c.PlatformKeys = append(c.PlatformKeys, base64.StdEncoding.EncodeToString(key))
	}
	return c, nil
}

// errNoKeys says that this process does not know the platform's keys.
var errNoKeys = errors.New("this process has no public keys for agents")

// Enrol is the function of that name, with an entry in the audit log.
func (m *Manager) Enrol(ctx context.Context, license uuid.UUID, server string, by By) (Credentials, error) {
	keys, ok := m.deps.Signer.(PublicKeys)
	if !ok {
		return Credentials{}, errNoKeys
	}
	c, err := Enrol(ctx, m.deps.Pool, keys, m.deps.AgentNATSURL, license, server)
	if err != nil {
		return c, err
	}
	return c, m.auditAgent(ctx, license, server, by, "agent.enrolled")
}

// Dismiss takes an agent's NATS user away: its connections end within seconds. What it was to do expires. It fails with
// account.ErrNoAgent.
func (m *Manager) Dismiss(ctx context.Context, license uuid.UUID, server string, by By) error {
	if err := account.RevokeAgentUser(ctx, m.deps.Pool, license, server); err != nil {
		return err
	}
	if err := m.store.Queries().ForgetAgent(ctx, pg.ForgetAgentParams{LicenseID: license, ServerID: server}); err != nil {
		return fmt.Errorf("forget agent: %w", err)
	}
	return m.auditAgent(ctx, license, server, by, "agent.revoked")
}

func (m *Manager) auditAgent(ctx context.Context, license uuid.UUID, server string, by By, action string) error {
	by.Action, by.License, by.TargetKind, by.TargetID = action, &license, "agent", server
	return audit.Write(ctx, m.store.Queries(), m.now(), by)
}
