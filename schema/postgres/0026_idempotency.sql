-- +goose Up
-- Answers to POSTs that were sent with an Idempotency-Key. scope is who may use the key again. status is NULL while the
-- request is under way; a process that died leaves it so, and after locked_until another may try. body is sealed: it may
-- hold what is shown once.
CREATE TABLE idempotency_keys (
    scope        text NOT NULL CHECK (length(scope) BETWEEN 1 AND 400),
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint  bytea NOT NULL CHECK (length(fingerprint) = 32),
    claim        uuid NOT NULL,
    locked_until timestamptz NOT NULL,
    status       integer CHECK (status BETWEEN 200 AND 599),
    headers      jsonb NOT NULL DEFAULT '{}',
    body         bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);

-- +goose Down
DROP TABLE idempotency_keys;
