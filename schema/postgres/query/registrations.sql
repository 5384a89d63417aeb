-- name: CreateRegistration :exec
-- CreateRegistration adds a registration that waits to be confirmed.
INSERT INTO registrations (id, email, email_key, name, password_hash, created_at, expires_at)
VALUES (@id, @email, @email_key, @name, @password_hash, @now, @expires_at);

-- name: FindRegistration :one
-- FindRegistration reads a registration.
SELECT * FROM registrations WHERE id = @id;

-- name: SetRegistrationToken :exec
-- SetRegistrationToken gives a registration the token of the mail that is about to be sent.
UPDATE registrations SET token_digest = @token_digest::bytea WHERE id = @id;

-- name: FindRegistrationByToken :one
-- FindRegistrationByToken reads the registration of a token that has not expired, and locks it.
SELECT * FROM registrations WHERE token_digest = @token_digest::bytea AND expires_at > @now FOR UPDATE;

-- name: DeleteRegistrations :exec
-- DeleteRegistrations forgets every registration of an email.
DELETE FROM registrations WHERE email_key = @email_key;
