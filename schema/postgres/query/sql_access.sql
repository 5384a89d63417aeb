-- name: LockSQLAccess :exec
-- LockSQLAccess lets one transaction at a time hand out or take back SQL access.
SELECT pg_advisory_xact_lock(hashtext('corrosion sql access'));

-- name: ListSQLAccess :many
-- ListSQLAccess reads every user that was handed out.
SELECT * FROM sql_access ORDER BY username;

-- name: PutSQLAccess :exec
-- PutSQLAccess notes that a user reads a license.
INSERT INTO sql_access (username, license_id, password_sha256) VALUES (@username, @license_id, @password_sha256);

-- name: DeleteSQLAccess :exec
-- DeleteSQLAccess forgets a user that reads nothing any more.
DELETE FROM sql_access WHERE username = @username;
