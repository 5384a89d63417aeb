-- name: FindTOTP :one
-- FindTOTP reads an account's second factor, confirmed or not.
SELECT * FROM totp WHERE user_id = @user_id;

-- name: PutPendingTOTP :execrows
-- PutPendingTOTP stores a secret that waits for its first code; a confirmed one is never replaced.
INSERT INTO totp (user_id, secret, key_id, created_at) VALUES (@user_id, @secret, @key_id, @now)
ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, key_id = excluded.key_id, created_at = excluded.created_at, last_step = 0
WHERE totp.confirmed_at IS NULL;

-- name: ConfirmTOTP :execrows
-- ConfirmTOTP turns the second factor on.
UPDATE totp SET confirmed_at = @now::timestamptz, last_step = @step WHERE user_id = @user_id AND confirmed_at IS NULL;

-- name: TakeTOTPStep :execrows
-- TakeTOTPStep uses up a time step; no row = it, or a later one, has been used.
UPDATE totp SET last_step = @step WHERE user_id = @user_id AND confirmed_at IS NOT NULL AND last_step < @step;

-- name: ResealTOTP :exec
-- ResealTOTP stores the same secret under another key.
UPDATE totp SET secret = @secret, key_id = @key_id WHERE user_id = @user_id AND key_id = @old_key_id;

-- name: ListTOTPUnderKey :many
-- ListTOTPUnderKey are the second factors whose secrets one key encrypts.
SELECT * FROM totp WHERE key_id = @key_id;

-- name: DeleteTOTP :execrows
-- DeleteTOTP turns the second factor off.
DELETE FROM totp WHERE user_id = @user_id;

-- name: CreateRecoveryCodes :exec
-- CreateRecoveryCodes adds codes.
INSERT INTO recovery_codes (user_id, digest) SELECT @user_id, unnest(@digests::bytea[]);

-- name: DeleteRecoveryCodes :exec
-- DeleteRecoveryCodes forgets all codes of an account.
DELETE FROM recovery_codes WHERE user_id = @user_id;

-- name: UseRecoveryCode :execrows
-- UseRecoveryCode uses a code up; no row = there is none, or it has been used.
UPDATE recovery_codes SET used_at = @now::timestamptz WHERE user_id = @user_id AND digest = @digest AND used_at IS NULL;
