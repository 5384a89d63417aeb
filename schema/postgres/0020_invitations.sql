-- +goose Up
-- Who is asked to join a license. One invitation an email waits at a time. The token is made when the mail is sent, or
-- with the invitation where no mail is sent.
CREATE TABLE invitations (
    id           uuid PRIMARY KEY,
    license_id   uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    email        text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key    text NOT NULL,
    role         text NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    invited_by   uuid REFERENCES users (id) ON DELETE SET NULL,
    inviter      text NOT NULL CHECK (length(inviter) <= 254),
    token_digest bytea UNIQUE CHECK (length(token_digest) = 32),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    accepted_at  timestamptz,
    revoked_at   timestamptz,
    CHECK (num_nulls(accepted_at, revoked_at) >= 1)
);
CREATE UNIQUE INDEX invitations_waiting ON invitations (license_id, email_key) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_license ON invitations (license_id, created_at);
CREATE INDEX invitations_expires ON invitations (expires_at);

-- +goose Down
DROP TABLE invitations;
