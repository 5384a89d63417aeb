-- +goose Up
-- The catalogue. A module's slug stands in URLs, in commands to agents and in purchases, and never changes.
CREATE TABLE modules (
    slug          text PRIMARY KEY CHECK (slug ~ '^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$'),
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- Markdown, as it was written: whoever renders it sanitises.
    description   text NOT NULL DEFAULT '' CHECK (length(description) <= 20000),
    features      text[] NOT NULL DEFAULT '{}' CHECK (cardinality(features) <= 50),
    price         numeric(12, 2) NOT NULL CHECK (price >= 0),
    currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- The plugin's page of its publisher.
    plugin_url    text CHECK (length(plugin_url) <= 2000),
    publisher     text NOT NULL CHECK (length(publisher) BETWEEN 1 AND 100),
    category      text NOT NULL CHECK (category ~ '^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$'),
    icon          text NOT NULL DEFAULT '' CHECK (icon ~ '^[a-z0-9-]{0,64}$'),
    -- [{"game": "rust", "min_version": "…", "max_version": "…"}], versions as servers report them.
    compatible    jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(compatible) = 'array'),
    -- Only a published module can be bought; who owns a deprecated one keeps it and may install it.
    status        text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'deprecated')),
    -- Counts the changes, for If-Match.
    revision      bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz,
    deprecated_at timestamptz
);
CREATE INDEX modules_name ON modules (lower(name), slug);

-- A version's file never changes: another file is another version. source_url is where the file lies elsewhere; without
-- it the platform's own store has it under its digest.
CREATE TABLE module_versions (
    module        text NOT NULL REFERENCES modules (slug),
    version       text NOT NULL CHECK (version ~ '^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$'),
    -- What versions are ordered by.
    numbers       integer[] NOT NULL GENERATED ALWAYS AS (string_to_array(version, '.')::integer[]) STORED,
    file          text NOT NULL CHECK (file ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    sha256        text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size          bigint NOT NULL CHECK (size BETWEEN 1 AND 1073741824),
    source_url    text CHECK (length(source_url) <= 2000),
    changelog     text NOT NULL DEFAULT '' CHECK (length(changelog) <= 20000),
    -- A deprecated version is not the latest any more; it can still be installed by its number.
    status        text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'deprecated')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz,
    deprecated_at timestamptz,
    PRIMARY KEY (module, version)
);
CREATE INDEX module_versions_order ON module_versions (module, numbers DESC);
CREATE INDEX module_versions_sha256 ON module_versions (sha256);

-- What must be on a server before a version is: depends_on, at least in min_version.
CREATE TABLE module_dependencies (
    module      text NOT NULL,
    version     text NOT NULL,
    depends_on  text NOT NULL REFERENCES modules (slug),
    min_version text NOT NULL DEFAULT '0.0.0' CHECK (min_version ~ '^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$'),
    PRIMARY KEY (module, version, depends_on),
    FOREIGN KEY (module, version) REFERENCES module_versions (module, version) ON DELETE CASCADE,
    CHECK (depends_on <> module)
);
CREATE INDEX module_dependencies_on ON module_dependencies (depends_on);

-- A license's purchase of a module. status is where its last transaction led; amount and currency are those of the day.
-- gateway_order and gateway_capture are the payment provider's names of it.
CREATE TABLE module_purchases (
    id              uuid PRIMARY KEY,
    license_id      uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    module          text NOT NULL REFERENCES modules (slug),
    status          text NOT NULL CHECK (status IN ('pending', 'capturing', 'completed', 'refunding', 'refunded', 'failed', 'cancelled')),
    amount          numeric(12, 2) NOT NULL CHECK (amount >= 0),
    currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    gateway         text NOT NULL CHECK (gateway IN ('free', 'instant', 'paypal')),
    gateway_order   text CHECK (length(gateway_order) <= 64),
    gateway_capture text CHECK (length(gateway_capture) <= 64),
    approve_url     text CHECK (length(approve_url) <= 2000),
    buyer_id        uuid,
    buyer           text NOT NULL CHECK (length(buyer) <= 254),
    -- The key that the request came with, the digest of what it asked, and what it was answered.
    idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    request_sha256  bytea CHECK (length(request_sha256) = 32),
    answer          jsonb,
    error           text NOT NULL DEFAULT '' CHECK (length(error) <= 1000),
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    completed_at    timestamptz,
    refunded_at     timestamptz,
    -- Until when a pending one may be paid.
    expires_at      timestamptz
);
-- One that counts, or may yet come to count, a license and module.
CREATE UNIQUE INDEX module_purchases_open ON module_purchases (license_id, module)
    WHERE status IN ('pending', 'capturing', 'completed', 'refunding');
CREATE UNIQUE INDEX module_purchases_idempotency ON module_purchases (license_id, idempotency_key);
CREATE UNIQUE INDEX module_purchases_order ON module_purchases (gateway, gateway_order) WHERE gateway_order IS NOT NULL;
CREATE INDEX module_purchases_license ON module_purchases (license_id, created_at DESC, id DESC);
CREATE INDEX module_purchases_waiting ON module_purchases (updated_at) WHERE status IN ('pending', 'capturing', 'refunding');

-- Every change of a purchase's state, never edited. from_status is NULL for the first.
CREATE TABLE module_transactions (
    id          uuid PRIMARY KEY,
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    purchase_id uuid NOT NULL REFERENCES module_purchases (id) ON DELETE CASCADE,
    license_id  uuid NOT NULL,
    from_status text,
    to_status   text NOT NULL,
    amount      numeric(12, 2) NOT NULL CHECK (amount >= 0),
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    gateway     text NOT NULL,
    -- The provider's name of what happened: an order, a capture, a refund, an event.
    reference   text NOT NULL DEFAULT '' CHECK (length(reference) <= 128),
    reason      text NOT NULL DEFAULT '' CHECK (length(reason) <= 1000),
    actor_id    uuid,
    actor       text NOT NULL CHECK (length(actor) <= 254),
    at          timestamptz NOT NULL
);
CREATE INDEX module_transactions_purchase ON module_transactions (purchase_id, seq);

-- Transactions are added and never changed. Erasing a license says so with SET LOCAL corrosion.audit_erase = 'on'.
-- +goose StatementBegin
CREATE FUNCTION module_transactions_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('corrosion.audit_erase', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'module_transactions is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER module_transactions_rows BEFORE UPDATE OR DELETE ON module_transactions
    FOR EACH ROW EXECUTE FUNCTION module_transactions_append_only();
CREATE TRIGGER module_transactions_truncate BEFORE TRUNCATE ON module_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION module_transactions_append_only();

-- What was agreed stays: neither what was bought, nor by whom, nor for how much.
-- +goose StatementBegin
CREATE FUNCTION module_purchases_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.license_id, OLD.module, OLD.amount, OLD.currency, OLD.gateway, OLD.created_at)
        IS DISTINCT FROM (NEW.id, NEW.license_id, NEW.module, NEW.amount, NEW.currency, NEW.gateway, NEW.created_at) THEN
        RAISE EXCEPTION 'what a purchase was agreed to be cannot be changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER module_purchases_fixed BEFORE UPDATE ON module_purchases
    FOR EACH ROW EXECUTE FUNCTION module_purchases_fixed();

-- At the end of a transaction every purchase that it touched stands where its last transaction led.
-- +goose StatementBegin
CREATE FUNCTION module_purchases_logged() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    now_is text := (SELECT status FROM module_purchases WHERE id = NEW.id);
    led_to text := (SELECT to_status FROM module_transactions WHERE purchase_id = NEW.id ORDER BY seq DESC LIMIT 1);
BEGIN
    IF now_is IS NOT NULL AND led_to IS DISTINCT FROM now_is THEN
        RAISE EXCEPTION 'purchase % is %, but its last transaction led to %', NEW.id, now_is, led_to
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER module_purchases_logged AFTER INSERT OR UPDATE ON module_purchases
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION module_purchases_logged();

-- A transaction goes on from where the one before led.
-- +goose StatementBegin
CREATE FUNCTION module_transactions_chained() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := (SELECT to_status FROM module_transactions WHERE purchase_id = NEW.purchase_id ORDER BY seq DESC LIMIT 1);
BEGIN
    IF NEW.from_status IS DISTINCT FROM before THEN
        RAISE EXCEPTION 'a transaction of purchase % goes on from %, but the one before led to %', NEW.purchase_id, NEW.from_status, before
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER module_transactions_chained BEFORE INSERT ON module_transactions
    FOR EACH ROW EXECUTE FUNCTION module_transactions_chained();

-- +goose Down
DROP TABLE module_transactions;
DROP TABLE module_purchases;
DROP TABLE module_dependencies;
DROP TABLE module_versions;
DROP TABLE modules;
DROP FUNCTION module_transactions_chained;
DROP FUNCTION module_purchases_logged;
DROP FUNCTION module_purchases_fixed;
DROP FUNCTION module_transactions_append_only;
