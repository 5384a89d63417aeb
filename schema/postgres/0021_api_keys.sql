-- +goose Up
-- Keys of scripts. The key is random (256 bits), so a plain digest is enough to keep; prefix is its beginning, to tell keys
-- apart by. last_used_at is coarse: it is written at most once in some minutes.
CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    license_id   uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    prefix       text NOT NULL CHECK (length(prefix) BETWEEN 1 AND 20),
    digest       bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    scopes       text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 20),
    created_by   uuid REFERENCES users (id) ON DELETE SET NULL,
    creator      text NOT NULL CHECK (length(creator) <= 254),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    revoked_for  text CHECK (revoked_for IN ('revoked', 'maker-left')),
    CHECK (num_nulls(revoked_at, revoked_for) IN (0, 2))
);
CREATE INDEX api_keys_license ON api_keys (license_id, created_at);
CREATE INDEX api_keys_maker ON api_keys (created_by) WHERE revoked_at IS NULL;

-- +goose Down
DROP TABLE api_keys;
