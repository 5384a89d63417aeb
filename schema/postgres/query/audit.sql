-- name: AddAudit :exec
-- AddAudit appends an entry. An actor without a name gets its account's email.
INSERT INTO audit_log (at, license_id, actor_id, actor, action, target_kind, target_id, address, user_agent, request_id, details)
VALUES (@at, sqlc.narg(license_id), sqlc.narg(actor_id),
    coalesce(nullif(@actor::text, ''), (SELECT email FROM users WHERE id = sqlc.narg(actor_id)), ''),
    @action, @target_kind, @target_id, @address, @user_agent, @request_id, @details);

-- name: PageAudit :many
-- PageAudit is a page of entries, newest first, with an id below a place. Without a license it is those of all, and of none.
SELECT * FROM audit_log
WHERE id < @before
  AND (sqlc.narg(license_id)::uuid IS NULL OR license_id = sqlc.narg(license_id)::uuid)
  AND (sqlc.narg(actor_id)::uuid IS NULL OR actor_id = sqlc.narg(actor_id)::uuid)
  AND (@action::text = '' OR action = @action OR (right(@action, 2) = '.*' AND starts_with(action, left(@action, -1))))
  AND (@target_kind::text = '' OR target_kind = @target_kind)
  AND (@target_id::text = '' OR target_id = @target_id)
  AND (sqlc.narg(at_from)::timestamptz IS NULL OR at >= sqlc.narg(at_from)::timestamptz)
  AND (sqlc.narg(at_to)::timestamptz IS NULL OR at < sqlc.narg(at_to)::timestamptz)
ORDER BY id DESC
LIMIT @most;
