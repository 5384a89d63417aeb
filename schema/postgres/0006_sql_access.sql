-- +goose Up
-- Which ClickHouse user reads which license. license_id becomes null when the license is erased: the user must still be
-- closed, as somebody knows its password. The digest tells a user of the local pool whose password was renewed.
CREATE TABLE sql_access (
    username        text PRIMARY KEY CHECK (length(username) BETWEEN 1 AND 100),
    license_id      uuid UNIQUE REFERENCES licenses (id) ON DELETE SET NULL,
    password_sha256 bytea NOT NULL CHECK (length(password_sha256) = 32),
    created_at      timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE sql_access;
