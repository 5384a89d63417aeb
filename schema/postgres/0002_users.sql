-- +goose Up
-- Emails are compared without regard to case. password_hash is a PHC string that holds its own parameters.
CREATE TABLE users (
    id                   uuid PRIMARY KEY,
    email                text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    password_hash        text NOT NULL,
    must_change_password boolean NOT NULL DEFAULT false,
    created_at           timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE license_members (
    license_id uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (license_id, user_id)
);
CREATE INDEX license_members_user ON license_members (user_id);

-- +goose Down
DROP TABLE license_members;
DROP TABLE users;
