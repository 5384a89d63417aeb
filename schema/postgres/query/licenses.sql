-- name: CreateLicense :one
-- CreateLicense adds a license.
INSERT INTO licenses (id, name) VALUES (@id, @name) RETURNING id, name, created_at, suspended_at;

-- name: EnsureLicense :exec
-- EnsureLicense adds a license unless it is there.
INSERT INTO licenses (id, name) VALUES (@id, @name) ON CONFLICT (id) DO NOTHING;

-- name: FindLicense :one
-- FindLicense reads one license.
SELECT id, name, created_at, suspended_at FROM licenses WHERE id = @id;

-- name: SuspendLicense :execrows
-- SuspendLicense suspends a license; one that is suspended keeps its moment.
UPDATE licenses SET suspended_at = COALESCE(suspended_at, now()) WHERE id = @id;

-- name: ResumeLicense :execrows
-- ResumeLicense ends a suspension.
UPDATE licenses SET suspended_at = NULL WHERE id = @id;

-- name: LockLicense :one
-- LockLicense reads a license and keeps others from changing it, or who belongs to it, until the transaction ends.
SELECT id, name, created_at, suspended_at FROM licenses WHERE id = @id FOR UPDATE;

-- name: RenameLicense :exec
-- RenameLicense gives a license another name.
UPDATE licenses SET name = @name WHERE id = @id;
