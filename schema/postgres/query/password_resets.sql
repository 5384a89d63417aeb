-- name: CreatePasswordReset :exec
-- CreatePasswordReset adds a token.
INSERT INTO password_resets (token_digest, user_id, created_at, expires_at) VALUES (@token_digest, @user_id, @now, @expires_at);

-- name: FindPasswordReset :one
-- FindPasswordReset reads a token that still counts, and its user.
SELECT user_id FROM password_resets WHERE token_digest = @token_digest AND used_at IS NULL AND expires_at > @now;

-- name: UsePasswordReset :one
-- UsePasswordReset uses a token up and says whose it was; no row = unknown, used or expired.
UPDATE password_resets SET used_at = @now::timestamptz WHERE token_digest = @token_digest AND used_at IS NULL AND expires_at > @now::timestamptz
RETURNING user_id;

-- name: DeletePasswordResets :exec
-- DeletePasswordResets makes all tokens of a user worthless.
DELETE FROM password_resets WHERE user_id = @user_id;
