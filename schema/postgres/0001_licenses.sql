-- +goose Up
-- A license is a tenant: its id stands in subjects, in rows and in tokens.
CREATE TABLE licenses (
    id           uuid PRIMARY KEY,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at   timestamptz NOT NULL DEFAULT now(),
    suspended_at timestamptz
);

-- +goose Down
DROP TABLE licenses;
