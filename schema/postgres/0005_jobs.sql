-- +goose Up
-- One row a run of a job. An occurrence (job, scheduled_at) is run by one aggregator; a row without finished_at whose
-- job's advisory lock is free belongs to one that died, and is taken over.
CREATE TABLE job_runs (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job           text NOT NULL CHECK (length(job) BETWEEN 1 AND 100),
    scheduled_at  timestamptz NOT NULL,
    cause         text NOT NULL CHECK (cause IN ('schedule', 'start', 'event', 'manual')),
    instance      text NOT NULL,
    attempts      integer NOT NULL DEFAULT 1,
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    duration_ms   bigint NOT NULL DEFAULT 0,
    window_from   timestamptz,
    window_to     timestamptz,
    hours_checked bigint NOT NULL DEFAULT 0,
    hours_healed  bigint NOT NULL DEFAULT 0,
    rows_removed  bigint NOT NULL DEFAULT 0,
    error         text NOT NULL DEFAULT '',
    detail        jsonb NOT NULL DEFAULT '{}',
    UNIQUE (job, scheduled_at)
);
CREATE INDEX job_runs_started ON job_runs (started_at);

-- How far a job has come, in its own words; one row a name.
CREATE TABLE job_marks (
    job        text NOT NULL,
    name       text NOT NULL,
    value      text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job, name)
);

-- +goose Down
DROP TABLE job_marks;
DROP TABLE job_runs;
