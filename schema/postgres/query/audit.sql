-- name: AddAudit :exec
-- AddAudit appends an entry.
INSERT INTO audit_log (at, license_id, actor_id, actor, action, target_kind, target_id, address, user_agent, request_id, details)
VALUES (@at, sqlc.narg(license_id), sqlc.narg(actor_id), @actor, @action, @target_kind, @target_id, @address, @user_agent, @request_id, @details);
