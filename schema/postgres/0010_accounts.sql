-- +goose Up
-- email_key is what emails are compared by: the program folds case and writes the domain in ASCII, whatever the
-- database's locale.
ALTER TABLE users
    ADD COLUMN email_key           text,
    ADD COLUMN name                text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    ADD COLUMN platform_admin      boolean NOT NULL DEFAULT false,
    ADD COLUMN email_confirmed_at  timestamptz,
    ADD COLUMN password_changed_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN last_login_at       timestamptz;
UPDATE users SET email_key = lower(email);
ALTER TABLE users ALTER COLUMN email_key SET NOT NULL;
CREATE UNIQUE INDEX users_email_key ON users (email_key);
DROP INDEX users_email;

-- A session is one sign-in; license_id is the license that its tokens speak for.
CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    license_id   uuid REFERENCES licenses (id) ON DELETE SET NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    revoked_for  text CHECK (revoked_for IN ('logout', 'revoked', 'password', 'reuse')),
    address      text NOT NULL,
    user_agent   text NOT NULL CHECK (length(user_agent) <= 400)
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- The refresh tokens of a session are one family; each is used once. parent is the token that it was given for.
CREATE TABLE refresh_tokens (
    digest     bytea PRIMARY KEY CHECK (length(digest) = 32),
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    parent     bytea,
    created_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- secret is encrypted under a key derived from the signing key key_id. last_step is the newest time step whose code was
-- taken: no code counts twice.
CREATE TABLE totp (
    user_id      uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret       bytea NOT NULL,
    key_id       text NOT NULL,
    last_step    bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    confirmed_at timestamptz
);

-- Recovery codes are random (80 bits), so a plain digest is enough to keep.
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest  bytea NOT NULL CHECK (length(digest) = 32),
    used_at timestamptz,
    PRIMARY KEY (user_id, digest)
);

-- A registration that waits for its email to be confirmed; it becomes an account then. The token is made when the mail
-- is sent.
CREATE TABLE registrations (
    id            uuid PRIMARY KEY,
    email         text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key     text NOT NULL,
    name          text NOT NULL CHECK (length(name) <= 200),
    password_hash text NOT NULL,
    token_digest  bytea UNIQUE CHECK (length(token_digest) = 32),
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX registrations_expires ON registrations (expires_at);

CREATE TABLE password_resets (
    token_digest bytea PRIMARY KEY CHECK (length(token_digest) = 32),
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX password_resets_user ON password_resets (user_id);

-- Tries that were not made good, by account, address, or whatever else kind says. key is a digest.
CREATE TABLE attempts (
    kind          text NOT NULL,
    key           bytea NOT NULL,
    failures      integer NOT NULL,
    last_at       timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX attempts_last ON attempts (last_at);

-- +goose Down
DROP TABLE attempts;
DROP TABLE password_resets;
DROP TABLE registrations;
DROP TABLE recovery_codes;
DROP TABLE totp;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
CREATE UNIQUE INDEX users_email ON users (lower(email));
DROP INDEX users_email_key;
ALTER TABLE users
    DROP COLUMN email_key,
    DROP COLUMN name,
    DROP COLUMN platform_admin,
    DROP COLUMN email_confirmed_at,
    DROP COLUMN password_changed_at,
    DROP COLUMN last_login_at;
