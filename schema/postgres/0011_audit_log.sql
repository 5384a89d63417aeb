-- +goose Up
-- Who did what to which thing, from where. No foreign keys: an entry outlives what it speaks of.
CREATE TABLE audit_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    license_id  uuid,
    actor_id    uuid,
    actor       text NOT NULL CHECK (length(actor) <= 254),
    action      text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    target_kind text NOT NULL DEFAULT '',
    target_id   text NOT NULL DEFAULT '',
    address     text NOT NULL DEFAULT '',
    user_agent  text NOT NULL DEFAULT '' CHECK (length(user_agent) <= 400),
    request_id  text NOT NULL DEFAULT '',
    details     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_license ON audit_log (license_id, id);
CREATE INDEX audit_log_actor ON audit_log (actor_id, id);

-- Entries are added and never changed. Erasing a license or a person, and retention, say so with
-- SET LOCAL corrosion.audit_erase = 'on' in their transaction.
-- +goose StatementBegin
CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('corrosion.audit_erase', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_log_rows BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_append_only();
CREATE TRIGGER audit_log_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only();

-- +goose Down
DROP TABLE audit_log;
DROP FUNCTION audit_log_append_only;
