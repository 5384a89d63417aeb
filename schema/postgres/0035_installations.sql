-- +goose Up
-- What shall lie in the plugin directory of a server, and how far it is. What a command says (file, sha256, size) is copied
-- here when the installation is asked for, so that it means the same for ever. Only api/installation writes status: the
-- moves that it may make stand there.
CREATE TABLE module_installations (
    id          uuid PRIMARY KEY,
    license_id  uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    server_id   text NOT NULL CHECK (server_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    module      text NOT NULL REFERENCES modules (slug),
    version     text NOT NULL CHECK (length(version) BETWEEN 1 AND 64),
    file        text NOT NULL CHECK (length(file) BETWEEN 1 AND 128),
    sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size        bigint NOT NULL CHECK (size >= 0),
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'dispatched', 'downloading', 'installing', 'installed', 'failed', 'cancelled', 'uninstalling', 'uninstalled')),
    -- What is wanted of it: to be there, to be gone, or never to have been.
    goal        text NOT NULL DEFAULT 'present' CHECK (goal IN ('present', 'absent', 'cancelled')),
    progress    integer NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    error       text NOT NULL DEFAULT '' CHECK (length(error) <= 1000),
    code        text NOT NULL DEFAULT '' CHECK (length(code) <= 32),
    -- Counts the commands; an agent does each once. tries are those of the present goal that failed.
    attempt     integer NOT NULL DEFAULT 1,
    tries       integer NOT NULL DEFAULT 0,
    -- The installation of the version before on this server, and those of modules that must be there first.
    replaces    uuid REFERENCES module_installations (id) ON DELETE SET NULL,
    needs       uuid[] NOT NULL DEFAULT '{}',
    rollout_id  uuid,
    -- Where what lies on the disk is not what was installed: how it differs, and since when.
    drift       text NOT NULL DEFAULT '' CHECK (length(drift) <= 500),
    drift_since timestamptz,
    -- From when on a command is to be sent (NULL = none is), and who is at it until when.
    command_due timestamptz,
    lease_until timestamptz,
    -- The stream's sequence of the last command, and when silence means that it failed.
    command_seq bigint,
    deadline    timestamptz,
    idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    installed_at timestamptz
);
-- One that is under way and one that is installed, a module and server.
CREATE UNIQUE INDEX module_installations_open ON module_installations (license_id, server_id, module)
    WHERE status IN ('pending', 'dispatched', 'downloading', 'installing', 'uninstalling');
CREATE UNIQUE INDEX module_installations_installed ON module_installations (license_id, server_id, module)
    WHERE status = 'installed';
CREATE UNIQUE INDEX module_installations_idempotency ON module_installations (license_id, idempotency_key);
CREATE INDEX module_installations_license ON module_installations (license_id, created_at DESC, id DESC);
CREATE INDEX module_installations_server ON module_installations (license_id, server_id, module);
CREATE INDEX module_installations_due ON module_installations (command_due) WHERE command_due IS NOT NULL;
CREATE INDEX module_installations_deadline ON module_installations (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX module_installations_rollout ON module_installations (rollout_id) WHERE rollout_id IS NOT NULL;

-- Every change of an installation's status, in order. from_status is NULL for the first.
CREATE TABLE module_installation_changes (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    installation_id uuid NOT NULL REFERENCES module_installations (id) ON DELETE CASCADE,
    at              timestamptz NOT NULL,
    attempt         integer NOT NULL,
    from_status     text,
    to_status       text NOT NULL,
    reason          text NOT NULL DEFAULT '' CHECK (length(reason) <= 1000),
    actor           text NOT NULL DEFAULT '' CHECK (length(actor) <= 254)
);
CREATE INDEX module_installation_changes_of ON module_installation_changes (installation_id, seq);

-- What agents said last. skew_ms is how far an agent's clock was ahead of ours.
CREATE TABLE agents (
    license_id uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    server_id  text NOT NULL CHECK (server_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    version    text NOT NULL,
    os         text NOT NULL,
    arch       text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    skew_ms    bigint NOT NULL,
    fault      text NOT NULL,
    installed  jsonb NOT NULL,
    PRIMARY KEY (license_id, server_id)
);

-- +goose Down
DROP TABLE agents;
DROP TABLE module_installation_changes;
DROP TABLE module_installations;
