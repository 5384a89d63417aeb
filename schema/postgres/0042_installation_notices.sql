-- +goose Up
-- Whoever serves live streams listens on the channel corrosion_installations; the payload is what has become of one
-- installation. The error is cut because a payload of 8000 bytes would fail the transaction.
-- +goose StatementBegin
CREATE FUNCTION installation_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('corrosion_installations', json_build_object(
        'license_id', NEW.license_id, 'installation_id', NEW.id, 'server_id', NEW.server_id, 'module', NEW.module,
        'version', NEW.version, 'status', NEW.status, 'progress', NEW.progress, 'error', NULLIF(left(NEW.error, 300), ''),
        'code', NULLIF(NEW.code, ''), 'attempt', NEW.attempt, 'at', NEW.updated_at)::text);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER installation_added AFTER INSERT ON module_installations
    FOR EACH ROW EXECUTE FUNCTION installation_changed();
CREATE TRIGGER installation_changed AFTER UPDATE OF status, progress, error, code, attempt ON module_installations
    FOR EACH ROW WHEN ((OLD.status, OLD.progress, OLD.error, OLD.code, OLD.attempt)
        IS DISTINCT FROM (NEW.status, NEW.progress, NEW.error, NEW.code, NEW.attempt))
    EXECUTE FUNCTION installation_changed();

-- +goose Down
DROP TRIGGER installation_changed ON module_installations;
DROP TRIGGER installation_added ON module_installations;
DROP FUNCTION installation_changed;
