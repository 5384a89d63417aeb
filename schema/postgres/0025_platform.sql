-- +goose Up
-- Why a license is suspended, for its owner and for other administrators; gone with the suspension.
CREATE TABLE license_suspensions (
    license_id   uuid PRIMARY KEY REFERENCES licenses (id) ON DELETE CASCADE,
    reason       text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    suspended_by uuid,
    at           timestamptz NOT NULL DEFAULT now()
);

-- Lists of licenses are read newest first.
CREATE INDEX licenses_created ON licenses (created_at DESC, id DESC);
-- Entries of all licenses are looked for by what was done.
CREATE INDEX audit_log_action ON audit_log (action, id);

-- The jobs that aggregators know, as they last said.
CREATE TABLE jobs (
    name     text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{0,49}$'),
    schedule text NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now()
);

-- Runs that an administrator asked for. Each is the occurrence (job, requested_at) of job_runs: an aggregator runs those
-- that are not finished there.
CREATE TABLE job_requests (
    job          text NOT NULL REFERENCES jobs (name) ON DELETE CASCADE,
    requested_at timestamptz NOT NULL,
    requested_by uuid,
    window_from  timestamptz,
    window_to    timestamptz CHECK (window_from IS NULL OR window_to IS NULL OR window_from < window_to),
    PRIMARY KEY (job, requested_at)
);

-- +goose Down
DROP TABLE job_requests;
DROP TABLE jobs;
DROP INDEX audit_log_action;
DROP INDEX licenses_created;
DROP TABLE license_suspensions;
