-- name: CreateAPIKey :exec
-- CreateAPIKey adds a key.
INSERT INTO api_keys (id, license_id, name, prefix, digest, scopes, created_by, creator, created_at, expires_at)
VALUES (@id, @license_id, @name, @prefix, @digest, @scopes, @created_by::uuid, @creator, @now, sqlc.narg(expires_at));

-- name: ListAPIKeys :many
-- ListAPIKeys are a license's keys, those that have ended too, the newest first.
SELECT id, name, prefix, scopes, creator, created_at, expires_at, last_used_at, revoked_at, revoked_for FROM api_keys
WHERE license_id = @license_id ORDER BY created_at DESC, id DESC;

-- name: CountAPIKeys :one
-- CountAPIKeys is how many keys of a license count.
SELECT count(*) FROM api_keys WHERE license_id = @license_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @now::timestamptz);

-- name: FindAPIKey :one
-- FindAPIKey reads a key by its digest.
SELECT id, license_id, name, prefix, digest, scopes, expires_at, last_used_at, revoked_at FROM api_keys WHERE digest = @digest;

-- name: RevokeAPIKey :one
-- RevokeAPIKey ends one key of a license.
UPDATE api_keys SET revoked_at = @now::timestamptz, revoked_for = 'revoked'
WHERE id = @id AND license_id = @license_id AND revoked_at IS NULL
RETURNING name;

-- name: RevokeAPIKeysBy :execrows
-- RevokeAPIKeysBy ends the keys that a member has made.
UPDATE api_keys SET revoked_at = @now::timestamptz, revoked_for = 'maker-left'
WHERE license_id = @license_id AND created_by = @created_by::uuid AND revoked_at IS NULL;

-- name: TouchAPIKeys :exec
-- TouchAPIKeys notes when keys were last used; an older use than the one noted changes nothing.
UPDATE api_keys k SET last_used_at = u.used_at
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@used_at::timestamptz[]) AS used_at) AS u
WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.used_at);

-- name: LiveAPIKeys :many
-- LiveAPIKeys gives those of some keys that still count.
SELECT id FROM api_keys WHERE id = ANY(@ids::uuid[]) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @now::timestamptz);

-- name: SweepAPIKeys :execrows
-- SweepAPIKeys forgets keys that ended before a moment.
DELETE FROM api_keys WHERE expires_at < @before::timestamptz OR revoked_at < @before::timestamptz;
