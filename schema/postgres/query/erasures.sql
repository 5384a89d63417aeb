-- name: CreateErasure :exec
-- CreateErasure notes that a license is to be erased.
INSERT INTO erasures (id, license, asked_by, asked_at, not_before) VALUES (@id, @license, @asked_by::uuid, @now, @now);

-- name: ClaimErasure :one
-- ClaimErasure takes an erasure that is due; others may when the lease is over.
UPDATE erasures SET lease_until = now() + make_interval(secs => @lease_seconds::float8)
WHERE id = (
    SELECT e.id FROM erasures e
    WHERE e.finished_at IS NULL AND e.not_before <= now() AND (e.lease_until IS NULL OR e.lease_until < now())
    ORDER BY e.not_before LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, license, asked_by, asked_at, passes, not_before, lease_until, removed, last_error, finished_at;

-- name: FindErasure :one
-- FindErasure reads an erasure of who asked for it.
SELECT id, license, asked_by, asked_at, passes, not_before, lease_until, removed, last_error, finished_at FROM erasures
WHERE id = @id AND asked_by = @asked_by::uuid;

-- name: PassErasure :exec
-- PassErasure notes what a pass removed, and when the next is due.
UPDATE erasures SET passes = passes + 1, removed = @removed, last_error = '', lease_until = NULL,
    not_before = now() + make_interval(secs => @wait_seconds::float8)
WHERE id = @id;

-- name: DelayErasure :exec
-- DelayErasure notes what was removed, what went wrong, and when to try again.
UPDATE erasures SET removed = @removed, last_error = @last_error, lease_until = NULL, not_before = now() + make_interval(secs => @wait_seconds::float8)
WHERE id = @id;

-- name: FinishErasure :exec
-- FinishErasure notes that nothing is left.
UPDATE erasures SET passes = passes + 1, removed = @removed, last_error = '', lease_until = NULL, finished_at = now() WHERE id = @id;

-- name: CountLicenseRows :many
-- CountLicenseRows counts the rows of a license in each table that can hold some.
SELECT name::text AS name, n::bigint AS n FROM license_counts(@license::uuid);

-- name: EraseLicense :exec
-- EraseLicense removes a license with every row of it.
SELECT erase_license(@license::uuid);

-- name: ListLicenseTables :many
-- ListLicenseTables names the tables that can hold rows of a license.
SELECT name::text AS name FROM license_tables();

-- name: LicensePeople :many
-- LicensePeople are the members of a license with what they are called, as JSON.
SELECT jsonb_build_object('account_id', u.id, 'email', u.email, 'name', u.name, 'role', m.role, 'since', m.created_at)::text AS line
FROM license_members m JOIN users u ON u.id = m.user_id WHERE m.license_id = @license_id ORDER BY u.email_key;
