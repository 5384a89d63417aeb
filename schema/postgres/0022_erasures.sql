-- +goose Up
-- Licenses that are being erased, and the receipts of those that were. The column is not called license_id, because it
-- outlives the license: it is all that stays.
CREATE TABLE erasures (
    id          uuid PRIMARY KEY,
    license     uuid NOT NULL UNIQUE,
    asked_by    uuid REFERENCES users (id) ON DELETE SET NULL,
    asked_at    timestamptz NOT NULL,
    passes      integer NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL,
    lease_until timestamptz,
    removed     jsonb NOT NULL DEFAULT '{}',
    last_error  text NOT NULL DEFAULT '' CHECK (length(last_error) <= 500),
    finished_at timestamptz
);
CREATE INDEX erasures_due ON erasures (not_before) WHERE finished_at IS NULL;

-- The tables that hold rows of licenses, wherever they come from: those with a column license_id, and licenses itself.
-- detaches tells those whose rows outlive a license without its id.
-- +goose StatementBegin
CREATE FUNCTION license_tables() RETURNS TABLE (rel regclass, name text, key text, detaches boolean) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT c.oid::regclass, c.relname::text, CASE WHEN c.oid = 'licenses'::regclass THEN 'id' ELSE 'license_id' END,
           EXISTS (SELECT 1 FROM pg_constraint f
                   WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid = 'licenses'::regclass AND f.confdeltype = 'n')
    FROM pg_class c
    WHERE c.relkind = 'r'
        AND c.relnamespace = (SELECT l.relnamespace FROM pg_class l WHERE l.oid = 'licenses'::regclass)
        AND (c.oid = 'licenses'::regclass
             OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'license_id' AND NOT a.attisdropped))
    ORDER BY c.relname;
END $$;
-- +goose StatementEnd

-- How many rows each of these tables has of a license.
-- +goose StatementBegin
CREATE FUNCTION license_counts(license uuid) RETURNS TABLE (name text, n bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM license_tables() LOOP
        name := t.name;
        EXECUTE format('SELECT count(*) FROM %s WHERE %I = $1', t.rel, t.key) INTO n USING license;
        RETURN NEXT;
    END LOOP;
END $$;
-- +goose StatementEnd

-- The rows of one of these tables of a license, as JSON. Columns of bytes hold digests of secrets and sealed answers, and
-- stay behind.
-- +goose StatementBegin
CREATE FUNCTION license_rows(table_name text, license uuid) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
    t record;
    secret text[];
BEGIN
    SELECT * INTO STRICT t FROM license_tables() AS l WHERE l.name = table_name;
    SELECT coalesce(array_agg(a.attname::text), '{}') INTO secret FROM pg_attribute a
    WHERE a.attrelid = t.rel AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped;
    RETURN QUERY EXECUTE format('SELECT (to_jsonb(x) - $2)::text FROM %s AS x WHERE x.%I = $1', t.rel, t.key) USING license, secret;
END $$;
-- +goose StatementEnd

-- Removes every row of a license, and the license. Tables that refer to one another are emptied in the order that their
-- keys allow, found by trying.
-- +goose StatementBegin
CREATE FUNCTION erase_license(license uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
    again boolean := true;
    pass integer := 0;
BEGIN
    PERFORM set_config('corrosion.audit_erase', 'on', true);
    DELETE FROM mail_outbox m WHERE m.kind = 'license.invitation'
        AND m.data ->> 'invitation' IN (SELECT i.id::text FROM invitations i WHERE i.license_id = license);
    WHILE again AND pass < 10 LOOP
        again := false;
        pass := pass + 1;
        FOR t IN SELECT l.rel, l.key FROM license_tables() AS l WHERE NOT l.detaches ORDER BY l.key DESC, l.name LOOP
            BEGIN
                EXECUTE format('DELETE FROM %s WHERE %I = $1', t.rel, t.key) USING license;
            EXCEPTION WHEN foreign_key_violation THEN
                again := true;
            END;
        END LOOP;
    END LOOP;
    IF again THEN
        RAISE EXCEPTION 'rows of license % are held by other tables', license;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION erase_license;
DROP FUNCTION license_rows;
DROP FUNCTION license_counts;
DROP FUNCTION license_tables;
DROP TABLE erasures;
