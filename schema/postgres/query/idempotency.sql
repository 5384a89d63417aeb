-- name: ClaimIdempotencyKey :one
-- ClaimIdempotencyKey takes a key that is new, has expired, or was left by a process that died with the same request. No
-- row: it is taken, and FindIdempotencyKey says by what.
INSERT INTO idempotency_keys (scope, key, fingerprint, claim, locked_until, expires_at)
VALUES (@scope, @key, @fingerprint, @claim, @locked_until, @expires_at)
ON CONFLICT (scope, key) DO UPDATE
SET fingerprint = excluded.fingerprint, claim = excluded.claim, locked_until = excluded.locked_until, expires_at = excluded.expires_at,
    status = NULL, headers = '{}', body = NULL, created_at = now()
WHERE idempotency_keys.expires_at <= @now
   OR (idempotency_keys.status IS NULL AND idempotency_keys.locked_until <= @now AND idempotency_keys.fingerprint = excluded.fingerprint)
RETURNING claim;

-- name: FindIdempotencyKey :one
-- FindIdempotencyKey reads what a key was used for.
SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE scope = @scope AND key = @key;

-- name: FinishIdempotencyKey :execrows
-- FinishIdempotencyKey keeps the answer for those who ask again, if the claim is still ours.
UPDATE idempotency_keys SET status = @status::integer, headers = @headers, body = @body, expires_at = @expires_at
WHERE scope = @scope AND key = @key AND claim = @claim AND status IS NULL;

-- name: ReleaseIdempotencyKey :exec
-- ReleaseIdempotencyKey forgets a key whose request changed nothing.
DELETE FROM idempotency_keys WHERE scope = @scope AND key = @key AND claim = @claim AND status IS NULL;

-- name: SweepIdempotencyKeys :execrows
-- SweepIdempotencyKeys forgets keys whose time is over.
DELETE FROM idempotency_keys WHERE expires_at < @before::timestamptz;
