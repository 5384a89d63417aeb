-- name: CountAttempt :one
-- CountAttempt counts a try before it is made, so that tries at once count too. No row = it may not be made yet.
INSERT INTO attempts (kind, key, failures, last_at, blocked_until)
VALUES (@kind, @key, 1, @now, @now)
ON CONFLICT (kind, key) DO UPDATE SET
    failures = CASE WHEN attempts.last_at < sqlc.arg(forget_before)::timestamptz THEN 1 ELSE attempts.failures + 1 END,
    last_at = excluded.last_at,
    blocked_until = excluded.last_at + interval '1 second' * (
        CASE WHEN attempts.last_at < sqlc.arg(forget_before)::timestamptz OR attempts.failures < sqlc.arg(free_tries)::integer THEN 0
        ELSE least(sqlc.arg(longest_seconds)::float8,
            sqlc.arg(first_seconds)::float8 * power(2, least(attempts.failures - sqlc.arg(free_tries)::integer, 30))) END)
WHERE attempts.blocked_until <= excluded.last_at
RETURNING failures;

-- name: BlockedUntil :one
-- BlockedUntil is when the next try may be made.
SELECT blocked_until FROM attempts WHERE kind = @kind AND key = @key;

-- name: ForgetAttempts :exec
-- ForgetAttempts clears the count after a try was made good.
DELETE FROM attempts WHERE kind = @kind AND key = @key;

-- name: UncountAttempt :exec
-- UncountAttempt takes one good try out of the count and leaves the bad ones.
UPDATE attempts SET failures = greatest(failures - 1, 0), blocked_until = @now WHERE kind = @kind AND key = @key;
