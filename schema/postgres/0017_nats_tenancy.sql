-- +goose Up
-- A generation names one password of one user and is never used again: live connections carry it, so that those of an
-- older password can be told and ended. The previous password stays valid until previous_until, for rolling servers.
CREATE SEQUENCE nats_generations;
ALTER TABLE nats_users DROP CONSTRAINT nats_users_name_check;
ALTER TABLE nats_users
    ADD CONSTRAINT nats_users_name_check CHECK (name ~ '^[A-Za-z0-9_-]{1,120}$'),
    ADD COLUMN kind                text NOT NULL DEFAULT 'server' CHECK (kind IN ('server', 'agent')),
    ADD COLUMN server_id           text CHECK (server_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    ADD COLUMN generation          bigint NOT NULL DEFAULT nextval('nats_generations'),
    ADD COLUMN rotated_at          timestamptz,
    ADD COLUMN previous_sha256     bytea CHECK (length(previous_sha256) = 32),
    ADD COLUMN previous_generation bigint,
    ADD COLUMN previous_until      timestamptz,
    ADD CONSTRAINT nats_users_agent CHECK ((kind = 'agent') = (server_id IS NOT NULL)),
    ADD CONSTRAINT nats_users_previous CHECK (num_nulls(previous_sha256, previous_generation, previous_until) IN (0, 3));
CREATE UNIQUE INDEX nats_users_server ON nats_users (license_id) WHERE kind = 'server';
CREATE UNIQUE INDEX nats_users_agent_server ON nats_users (license_id, server_id) WHERE kind = 'agent';

-- Whoever admits NATS users listens on the channel corrosion_nats; the payload is the license.
-- +goose StatementBegin
CREATE FUNCTION nats_user_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('corrosion_nats', COALESCE(NEW.license_id, OLD.license_id)::text);
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION nats_license_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('corrosion_nats', OLD.id::text);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER nats_user_changed AFTER INSERT OR UPDATE OR DELETE ON nats_users
    FOR EACH ROW EXECUTE FUNCTION nats_user_changed();
CREATE TRIGGER nats_license_suspended AFTER UPDATE OF suspended_at ON licenses
    FOR EACH ROW WHEN (OLD.suspended_at IS DISTINCT FROM NEW.suspended_at) EXECUTE FUNCTION nats_license_changed();

-- +goose Down
DROP TRIGGER nats_license_suspended ON licenses;
DROP TRIGGER nats_user_changed ON nats_users;
DROP FUNCTION nats_license_changed;
DROP FUNCTION nats_user_changed;
DELETE FROM nats_users WHERE kind = 'agent';
DROP INDEX nats_users_agent_server;
DROP INDEX nats_users_server;
ALTER TABLE nats_users
    DROP CONSTRAINT nats_users_previous,
    DROP CONSTRAINT nats_users_agent,
    DROP COLUMN previous_until,
    DROP COLUMN previous_generation,
    DROP COLUMN previous_sha256,
    DROP COLUMN rotated_at,
    DROP COLUMN generation,
    DROP COLUMN server_id,
    DROP COLUMN kind,
    DROP CONSTRAINT nats_users_name_check,
    ADD CONSTRAINT nats_users_name_check CHECK (length(name) BETWEEN 1 AND 100);
DROP SEQUENCE nats_generations;
