-- name: CreateUser :one
-- CreateUser adds an account; a taken email is a unique violation.
INSERT INTO users (id, email, email_key, name, password_hash, must_change_password)
VALUES (@id, @email, @email_key, @name, @password_hash, @must_change_password)
RETURNING id;

-- name: CreateUserIfNew :execrows
-- CreateUserIfNew adds an account unless its email is taken, and says by the count of rows which it was.
INSERT INTO users (id, email, email_key, name, password_hash, email_confirmed_at)
VALUES (@id, @email, @email_key, @name, @password_hash, sqlc.narg(email_confirmed_at))
ON CONFLICT (email_key) DO NOTHING;

-- name: FindUserByEmail :one
-- FindUserByEmail reads an account by the key of its email.
SELECT * FROM users WHERE email_key = @email_key;

-- name: FindUser :one
-- FindUser reads an account.
SELECT * FROM users WHERE id = @id;

-- name: FindProfile :one
-- FindProfile reads an account with what it has of a second factor: whether one is on, and how many recovery codes are left.
SELECT sqlc.embed(users),
    EXISTS (SELECT FROM totp WHERE totp.user_id = users.id AND confirmed_at IS NOT NULL) AS totp_on,
    (SELECT count(*) FROM recovery_codes WHERE recovery_codes.user_id = users.id AND used_at IS NULL) AS recovery_codes
FROM users WHERE users.id = @id;

-- name: LockUser :one
-- LockUser reads an account and keeps others from changing it until the transaction ends.
SELECT * FROM users WHERE id = @id FOR UPDATE;

-- name: SetPassword :exec
-- SetPassword changes the password; whoever chose it knows it, so it need not be changed again.
UPDATE users SET password_hash = @password_hash, must_change_password = false, password_changed_at = @now WHERE id = @id;

-- name: RehashPassword :exec
-- RehashPassword keeps the same password under other costs, unless it has been changed meanwhile.
UPDATE users SET password_hash = @new_hash WHERE id = @id AND password_hash = @old_hash;

-- name: NoteLogin :exec
-- NoteLogin notes when an account last signed in.
UPDATE users SET last_login_at = @now::timestamptz WHERE id = @id;

-- name: ConfirmUserEmail :exec
-- ConfirmUserEmail notes that mail to the account's address reaches its owner.
UPDATE users SET email_confirmed_at = coalesce(email_confirmed_at, @now::timestamptz) WHERE id = @id;

-- name: MakePlatformAdmin :exec
-- MakePlatformAdmin lets an account administer the platform.
UPDATE users SET platform_admin = true WHERE id = @id;
