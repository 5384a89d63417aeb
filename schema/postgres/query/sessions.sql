-- name: CreateSession :exec
-- CreateSession adds a sign-in.
INSERT INTO sessions (id, user_id, license_id, created_at, last_used_at, expires_at, address, user_agent)
VALUES (@id, @user_id, sqlc.narg(license_id), @now, @now, @expires_at, @address, @user_agent);

-- name: FindSession :one
-- FindSession reads a session, live or not.
SELECT * FROM sessions WHERE id = @id;

-- name: LockSession :one
-- LockSession reads a session and keeps others from changing it until the transaction ends.
SELECT * FROM sessions WHERE id = @id FOR UPDATE;

-- name: ListSessions :many
-- ListSessions are the live sessions of a user, the latest used first.
SELECT * FROM sessions WHERE user_id = @user_id AND revoked_at IS NULL AND expires_at > @now
ORDER BY last_used_at DESC, id;

-- name: SessionLive :one
-- SessionLive tells whether a session of a user still counts.
SELECT EXISTS (SELECT 1 FROM sessions WHERE id = @id AND user_id = @user_id AND revoked_at IS NULL AND expires_at > @now);

-- name: TouchSession :exec
-- TouchSession notes a use.
UPDATE sessions SET last_used_at = @now::timestamptz, expires_at = @expires_at, license_id = sqlc.narg(license_id), address = @address, user_agent = @user_agent
WHERE id = @id;

-- name: SetSessionLicense :exec
-- SetSessionLicense changes the license that a session's next tokens speak for.
UPDATE sessions SET license_id = @license_id::uuid WHERE id = @id;

-- name: RevokeSession :execrows
-- RevokeSession ends one live session of a user.
UPDATE sessions SET revoked_at = @now::timestamptz, revoked_for = @revoked_for::text WHERE id = @id AND user_id = @user_id AND revoked_at IS NULL;

-- name: RevokeOtherSessions :execrows
-- RevokeOtherSessions ends all live sessions of a user but one; the nil UUID keeps none.
UPDATE sessions SET revoked_at = @now::timestamptz, revoked_for = @revoked_for::text WHERE user_id = @user_id AND id <> @keep AND revoked_at IS NULL;

-- name: LiveSessions :many
-- LiveSessions gives those of some sessions that still count.
SELECT id FROM sessions WHERE id = ANY(@ids::uuid[]) AND revoked_at IS NULL AND expires_at > @now;
