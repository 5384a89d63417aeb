-- +goose Up
-- A module on many servers, batch by batch. Only api/installation writes status.
CREATE TABLE module_rollouts (
    id           uuid PRIMARY KEY,
    license_id   uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    module       text NOT NULL REFERENCES modules (slug),
    version      text NOT NULL,
    status       text NOT NULL DEFAULT 'running' CHECK (status IN
        ('running', 'paused', 'done', 'stopped', 'cancelled', 'rolling-back', 'rolled-back')),
    batch_size   integer NOT NULL CHECK (batch_size BETWEEN 1 AND 1000),
    -- Seconds between the end of a batch and the next.
    pause_s      integer NOT NULL CHECK (pause_s BETWEEN 0 AND 604800),
    max_failures integer NOT NULL CHECK (max_failures BETWEEN 1 AND 10000),
    -- {"metric": "fps", "drop_percent": 20, "baseline_s": 3600, "min_samples": 30}; NULL = none.
    guard        jsonb,
    -- The batch that is out, from 0; -1 = none yet. When it was complete.
    batch        integer NOT NULL DEFAULT -1,
    batch_done_at timestamptz,
    reason       text NOT NULL DEFAULT '' CHECK (length(reason) <= 1000),
    actor        text NOT NULL CHECK (length(actor) <= 254),
    lease_until  timestamptz,
    next_at      timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX module_rollouts_license ON module_rollouts (license_id, module, created_at DESC);
CREATE INDEX module_rollouts_next ON module_rollouts (next_at) WHERE status IN ('running', 'rolling-back');
-- Two at once would undo each other.
CREATE UNIQUE INDEX module_rollouts_open ON module_rollouts (license_id, module) WHERE status IN ('running', 'paused', 'rolling-back');

-- The servers of a rollout in their batches. installation_id is what it asked for, undo_id what took that back; error is why
-- nothing could be asked for.
CREATE TABLE module_rollout_servers (
    rollout_id      uuid NOT NULL REFERENCES module_rollouts (id) ON DELETE CASCADE,
    server_id       text NOT NULL,
    batch           integer NOT NULL,
    installation_id uuid REFERENCES module_installations (id) ON DELETE SET NULL,
    undo_id         uuid REFERENCES module_installations (id) ON DELETE SET NULL,
    error           text NOT NULL DEFAULT '' CHECK (length(error) <= 1000),
    undone          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (rollout_id, server_id)
);
CREATE INDEX module_rollout_servers_batch ON module_rollout_servers (rollout_id, batch);

-- +goose Down
DROP TABLE module_rollout_servers;
DROP TABLE module_rollouts;
