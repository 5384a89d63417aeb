-- +goose Up
-- What is left of quotas, for all API processes together. Not logged: after a crash everybody begins with a full bucket.
-- tokens may be negative: what several processes gave away at once is paid back.
CREATE UNLOGGED TABLE rate_buckets (
    name   text NOT NULL,
    key    text NOT NULL,
    tokens double precision NOT NULL,
    at     timestamptz NOT NULL,
    PRIMARY KEY (name, key)
);
CREATE INDEX rate_buckets_at ON rate_buckets (at);

-- +goose Down
DROP TABLE rate_buckets;
