-- name: SpendTokens :many
-- SpendTokens takes what a process has spent from some buckets of one quota and gives what is left in each, for all
-- processes; never less than minus a whole bucket and what is spent now. amounts belongs to keys.
WITH spent AS (
    SELECT unnest(sqlc.arg(keys)::text[]) AS key, unnest(sqlc.arg(amounts)::float8[]) AS amount
)
INSERT INTO rate_buckets (name, key, tokens, at)
SELECT sqlc.arg(name)::text, spent.key, sqlc.arg(burst)::float8 - spent.amount, now() FROM spent ORDER BY spent.key
ON CONFLICT (name, key) DO UPDATE
SET tokens = greatest(excluded.tokens - 2 * sqlc.arg(burst)::float8,
        least(sqlc.arg(burst)::float8, rate_buckets.tokens + extract(epoch FROM now() - rate_buckets.at)::float8 * sqlc.arg(per_second)::float8)
        + excluded.tokens - sqlc.arg(burst)::float8),
    at = now()
RETURNING rate_buckets.key, rate_buckets.tokens;

-- name: SweepTokens :execrows
-- SweepTokens forgets buckets that have filled up again.
DELETE FROM rate_buckets WHERE name = @name AND at < now() - make_interval(secs => sqlc.arg(seconds)::float8);
