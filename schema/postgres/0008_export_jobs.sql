-- +goose Up
-- Exports that are written to files. A worker holds a job while its lease runs; attempt tells its tries apart, so that a
-- worker that lost the job changes nothing more. place is the directory that holds the files.
CREATE TABLE export_jobs (
    id              uuid PRIMARY KEY,
    license_id      uuid NOT NULL REFERENCES licenses (id) ON DELETE CASCADE,
    idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    request         jsonb NOT NULL,
    status          text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled', 'expired')),
    attempt         integer NOT NULL DEFAULT 0,
    faults          integer NOT NULL DEFAULT 0,
    place           uuid,
    lease_until     timestamptz,
    not_before      timestamptz NOT NULL DEFAULT now(),
    rows            bigint NOT NULL DEFAULT 0,
    rows_estimate   bigint,
    bytes           bigint NOT NULL DEFAULT 0,
    error           text NOT NULL DEFAULT '',
    manifest        jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    finished_at     timestamptz,
    expires_at      timestamptz
);
CREATE UNIQUE INDEX export_jobs_idempotency ON export_jobs (license_id, idempotency_key);
CREATE INDEX export_jobs_license ON export_jobs (license_id, created_at DESC);
CREATE INDEX export_jobs_open ON export_jobs (created_at) WHERE status IN ('queued', 'running');

-- +goose Down
DROP TABLE export_jobs;
