-- name: CreateNATSUser :exec
-- CreateNATSUser adds the NATS user of a license.
INSERT INTO nats_users (name, license_id, password_sha256) VALUES (@name, @license_id, @password_sha256);

-- name: FindNATSUser :one
-- FindNATSUser reads a NATS user with the state of its license.
SELECT u.name, u.license_id, u.password_sha256, l.suspended_at
FROM nats_users u JOIN licenses l ON l.id = u.license_id
WHERE u.name = @name;
