-- +goose Up
-- What people say about a license's servers. A server is known by its first sample; its row is made when somebody first
-- says something about it, or by hand. tags are key → value, groups are names, both checked where they are written.
CREATE TABLE servers (
    license_id          uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    server_id           text NOT NULL CHECK (server_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name                text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    tags                jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object'),
    groups              text[] NOT NULL DEFAULT '{}' CHECK (cardinality(groups) <= 50),
    notes               text NOT NULL DEFAULT '' CHECK (length(notes) <= 4000),
    expected_interval_s integer CHECK (expected_interval_s BETWEEN 1 AND 86400),
    archived_at         timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (license_id, server_id)
);

-- +goose Down
DROP TABLE servers;
