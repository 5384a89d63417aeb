-- +goose Up
-- Who wants to be there at the launch. position counts from 1 without gaps and never changes; email_key is what emails
-- are compared by. network_name is set once somebody asked for a founding slot.
CREATE TABLE early_access_signups (
    position     bigint PRIMARY KEY CHECK (position >= 1),
    email        text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key    text NOT NULL UNIQUE,
    server_count integer NOT NULL CHECK (server_count BETWEEN 1 AND 1000000),
    segment      text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN server_count = 1 THEN '1' WHEN server_count <= 5 THEN '2-5' WHEN server_count <= 25 THEN '6-25'
             WHEN server_count <= 100 THEN '26-100' ELSE '101+' END) STORED,
    network_name text CHECK (length(network_name) BETWEEN 1 AND 200),
    created_at   timestamptz NOT NULL,
    confirmed_at timestamptz
);
CREATE INDEX early_access_signups_segment ON early_access_signups (segment, position);

-- One row. Who adds a signup or takes a slot locks it, so that there is one of them at a time.
CREATE TABLE early_access_totals (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    signups  bigint NOT NULL DEFAULT 0 CHECK (signups >= 0)
);
INSERT INTO early_access_totals DEFAULT VALUES;

-- The slots of the founding program: there are no others, so there is never one too many. held_until is when a slot falls
-- free again unless the email is confirmed; null = it does not.
CREATE TABLE founding_slots (
    slot       smallint PRIMARY KEY CHECK (slot BETWEEN 1 AND 25),
    position   bigint UNIQUE REFERENCES early_access_signups (position),
    claimed_at timestamptz,
    held_until timestamptz,
    CHECK ((position IS NULL) = (claimed_at IS NULL))
);
INSERT INTO founding_slots (slot) SELECT generate_series(1, 25);

-- Proofs of work that have been used: each counts once.
CREATE TABLE early_access_proofs (
    digest     bytea PRIMARY KEY CHECK (length(digest) = 32),
    expires_at timestamptz NOT NULL
);
CREATE INDEX early_access_proofs_expires ON early_access_proofs (expires_at);

-- +goose Down
DROP TABLE early_access_proofs;
DROP TABLE founding_slots;
DROP TABLE early_access_totals;
DROP TABLE early_access_signups;
