-- name: CreateNATSUser :exec
-- CreateNATSUser adds the NATS user of a license's game servers.
INSERT INTO nats_users (name, license_id, password_sha256) VALUES (@name, @license_id, @password_sha256);

-- name: CreateNATSAgentUser :execrows
-- CreateNATSAgentUser adds the NATS user of one server's agent unless it has one.
INSERT INTO nats_users (name, license_id, kind, server_id, password_sha256)
VALUES (@name, @license_id, 'agent', @server_id::text, @password_sha256)
ON CONFLICT (license_id, server_id) WHERE kind = 'agent' DO NOTHING;

-- name: DeleteNATSAgentUser :execrows
-- DeleteNATSAgentUser takes the NATS user of one server's agent away.
DELETE FROM nats_users WHERE license_id = @license_id AND kind = 'agent' AND server_id = @server_id::text;

-- name: FindNATSUser :one
-- FindNATSUser reads a NATS user with the state of its license.
SELECT u.name, u.license_id, u.kind, COALESCE(u.server_id, '')::text AS server_id, u.password_sha256, u.generation,
       u.previous_sha256, u.previous_generation, u.previous_until, l.suspended_at
FROM nats_users u JOIN licenses l ON l.id = u.license_id
WHERE u.name = @name;

-- name: ListNATSUsers :many
-- ListNATSUsers reads which passwords of NATS users hold; names that are nobody's are left out.
SELECT u.name, u.generation, u.previous_generation, u.previous_until, l.suspended_at
FROM nats_users u JOIN licenses l ON l.id = u.license_id
WHERE u.name = ANY(@names::text[]);

-- name: RotateNATSUser :one
-- RotateNATSUser gives the game servers of a license a new password; the one before holds until previous_until, and one
-- before that no longer. Without previous_until it ends at once.
UPDATE nats_users SET
    password_sha256 = @password_sha256, generation = nextval('nats_generations'), rotated_at = now(),
    previous_sha256 = CASE WHEN sqlc.narg(previous_until)::timestamptz IS NULL THEN NULL ELSE password_sha256 END,
    previous_generation = CASE WHEN sqlc.narg(previous_until)::timestamptz IS NULL THEN NULL ELSE generation END,
    previous_until = sqlc.narg(previous_until)::timestamptz
WHERE license_id = @license_id AND kind = 'server'
RETURNING name;

-- name: ListLicenseNATSUsers :many
-- ListLicenseNATSUsers are the NATS users of a license: its game servers' first, then agents' by server.
SELECT name, kind, COALESCE(server_id, '')::text AS server_id, created_at, rotated_at, previous_until
FROM nats_users WHERE license_id = @license_id ORDER BY kind DESC, server_id;

-- name: RotateNATSUserNamed :one
-- RotateNATSUserNamed gives one NATS user of a license a new password, as RotateNATSUser does.
UPDATE nats_users SET
    password_sha256 = @password_sha256, generation = nextval('nats_generations'), rotated_at = now(),
    previous_sha256 = CASE WHEN sqlc.narg(previous_until)::timestamptz IS NULL THEN NULL ELSE password_sha256 END,
    previous_generation = CASE WHEN sqlc.narg(previous_until)::timestamptz IS NULL THEN NULL ELSE generation END,
    previous_until = sqlc.narg(previous_until)::timestamptz
WHERE license_id = @license_id AND name = @name
RETURNING COALESCE(server_id, '')::text AS server_id;

-- name: DeleteNATSUser :execrows
-- DeleteNATSUser takes one NATS user of a license away.
DELETE FROM nats_users WHERE license_id = @license_id AND name = @name;
