-- name: AddMember :exec
-- AddMember gives a user a role in a license, replacing the one it had.
INSERT INTO license_members (license_id, user_id, role) VALUES (@license_id, @user_id, @role)
ON CONFLICT (license_id, user_id) DO UPDATE SET role = excluded.role;

-- name: ListMemberships :many
-- ListMemberships are the licenses of a user, those it may do most in first.
SELECT m.license_id, l.name, m.role, m.created_at, l.suspended_at
FROM license_members m JOIN licenses l ON l.id = m.license_id
WHERE m.user_id = @user_id
ORDER BY array_position(ARRAY['owner', 'admin', 'viewer'], m.role), m.created_at, m.license_id;

-- name: FindMembership :one
-- FindMembership is a user's role in one license.
SELECT m.license_id, l.name, m.role, m.created_at, l.suspended_at
FROM license_members m JOIN licenses l ON l.id = m.license_id
WHERE m.user_id = @user_id AND m.license_id = @license_id;
