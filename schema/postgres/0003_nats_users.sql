-- +goose Up
-- The NATS user of a license's game servers. The password is random (256 bits), so a plain digest is enough to keep.
CREATE TABLE nats_users (
    name            text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    license_id      uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    password_sha256 bytea NOT NULL CHECK (length(password_sha256) = 32),
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX nats_users_license ON nats_users (license_id);

-- +goose Down
DROP TABLE nats_users;
