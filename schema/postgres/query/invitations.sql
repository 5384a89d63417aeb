-- name: CreateInvitation :exec
-- CreateInvitation adds an invitation; one that waits for the same email is a unique violation.
INSERT INTO invitations (id, license_id, email, email_key, role, invited_by, inviter, token_digest, created_at, expires_at)
VALUES (@id, @license_id, @email, @email_key, @role, @invited_by::uuid, @inviter, sqlc.narg(token_digest), @now, @expires_at);

-- name: ListInvitations :many
-- ListInvitations are the invitations of a license that nobody has taken back or accepted, the newest first.
SELECT id, email, role, inviter, created_at, expires_at FROM invitations
WHERE license_id = @license_id AND accepted_at IS NULL AND revoked_at IS NULL
ORDER BY created_at DESC, id DESC;

-- name: CountInvitations :one
-- CountInvitations is how many invitations of a license wait, but for those of one email.
SELECT count(*) FROM invitations
WHERE license_id = @license_id AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > @now AND email_key <> @email_key;

-- name: FindInvitation :one
-- FindInvitation reads an invitation with the name of its license.
SELECT sqlc.embed(i), l.name AS license_name FROM invitations i JOIN licenses l ON l.id = i.license_id WHERE i.id = @id;

-- name: FindInvitationByToken :one
-- FindInvitationByToken reads an invitation that can still be accepted, with the name of its license.
SELECT sqlc.embed(i), l.name AS license_name FROM invitations i JOIN licenses l ON l.id = i.license_id
WHERE i.token_digest = @token_digest AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > @now AND l.suspended_at IS NULL;

-- name: SetInvitationToken :exec
-- SetInvitationToken keeps the digest of the token that is about to be mailed.
UPDATE invitations SET token_digest = @token_digest::bytea WHERE id = @id;

-- name: AcceptInvitation :execrows
-- AcceptInvitation uses an invitation up, once.
UPDATE invitations SET accepted_at = @now::timestamptz WHERE id = @id AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > @now::timestamptz;

-- name: RevokeInvitation :one
-- RevokeInvitation takes one invitation of a license back.
UPDATE invitations SET revoked_at = @now::timestamptz
WHERE id = @id AND license_id = @license_id AND accepted_at IS NULL AND revoked_at IS NULL
RETURNING email;

-- name: RevokeInvitationsOfEmail :exec
-- RevokeInvitationsOfEmail takes back what waits for an email.
UPDATE invitations SET revoked_at = @now::timestamptz
WHERE license_id = @license_id AND email_key = @email_key AND accepted_at IS NULL AND revoked_at IS NULL;

-- name: RevokeInvitationsBy :execrows
-- RevokeInvitationsBy takes back what a member has sent.
UPDATE invitations SET revoked_at = @now::timestamptz
WHERE license_id = @license_id AND invited_by = @invited_by::uuid AND accepted_at IS NULL AND revoked_at IS NULL;

-- name: SweepInvitations :execrows
-- SweepInvitations forgets invitations that were over before a moment.
DELETE FROM invitations WHERE expires_at < @before::timestamptz OR accepted_at < @before::timestamptz OR revoked_at < @before::timestamptz;
