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

-- name: ListMembers :many
-- ListMembers are the people of a license, those who may do most first.
SELECT m.user_id, u.email, u.name, m.role, m.created_at, u.last_login_at
FROM license_members m JOIN users u ON u.id = m.user_id
WHERE m.license_id = @license_id
ORDER BY array_position(ARRAY['owner', 'admin', 'viewer'], m.role), u.email_key, m.user_id;

-- name: FindMember :one
-- FindMember reads one of the people of a license.
SELECT m.user_id, u.email, u.name, m.role, m.created_at, u.last_login_at
FROM license_members m JOIN users u ON u.id = m.user_id
WHERE m.license_id = @license_id AND m.user_id = @user_id;

-- name: MemberByEmail :one
-- MemberByEmail tells whether an email belongs to one of the people of a license.
SELECT EXISTS (SELECT 1 FROM license_members m JOIN users u ON u.id = m.user_id WHERE m.license_id = @license_id AND u.email_key = @email_key);

-- name: SetMemberRole :execrows
-- SetMemberRole changes what a member may do.
UPDATE license_members SET role = @role WHERE license_id = @license_id AND user_id = @user_id;

-- name: RemoveMember :execrows
-- RemoveMember takes a member out of a license.
DELETE FROM license_members WHERE license_id = @license_id AND user_id = @user_id;

-- name: CountOwners :one
-- CountOwners is how many owners a license has. Lock the license first.
SELECT count(*) FROM license_members WHERE license_id = @license_id AND role = 'owner';

-- name: CountOwned :one
-- CountOwned is how many licenses a user owns.
SELECT count(*) FROM license_members WHERE user_id = @user_id AND role = 'owner';

-- name: LeaveSessions :exec
-- LeaveSessions has the sessions of a user who left a license speak for another one from their next tokens on.
UPDATE sessions SET license_id = NULL WHERE user_id = @user_id AND license_id = @license_id::uuid;
