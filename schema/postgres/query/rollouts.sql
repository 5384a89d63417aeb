-- name: CreateRollout :one
-- CreateRollout begins a rollout.
INSERT INTO module_rollouts (id, license_id, module, version, batch_size, pause_s, max_failures, guard, actor, next_at, created_at, updated_at)
VALUES (@id, @license_id, @module, @version, @batch_size, @pause_s, @max_failures, @guard, @actor, @now, @now, @now)
RETURNING *;

-- name: AddRolloutServers :exec
-- AddRolloutServers puts servers into batches in the order in which they are given.
INSERT INTO module_rollout_servers (rollout_id, server_id, batch)
SELECT @rollout_id, s.server_id, ((s.n - 1) / @batch_size::int)::int FROM unnest(@servers::text[]) WITH ORDINALITY AS s (server_id, n);

-- name: FindRollout :one
-- FindRollout reads a license's rollout of a module.
SELECT * FROM module_rollouts WHERE license_id = @license_id AND module = @module AND id = @id;

-- name: LockRollout :one
-- LockRollout reads a rollout and keeps others from changing it until the transaction ends.
SELECT * FROM module_rollouts WHERE id = @id FOR UPDATE;

-- name: ListRollouts :many
-- ListRollouts reads a license's rollouts of a module, the newest first.
SELECT * FROM module_rollouts WHERE license_id = @license_id AND module = @module ORDER BY created_at DESC, id DESC LIMIT 100;

-- name: RolloutServers :many
-- RolloutServers reads the servers of a rollout with how far each is.
SELECT s.server_id, s.batch, s.error, s.undone, s.installation_id, s.undo_id,
       coalesce(i.status, '')::text AS status, coalesce(i.error, '')::text AS installation_error, i.installed_at, i.replaces,
       coalesce(u.status, '')::text AS undo_status
FROM module_rollout_servers s
LEFT JOIN module_installations i ON i.id = s.installation_id
LEFT JOIN module_installations u ON u.id = s.undo_id
WHERE s.rollout_id = @rollout_id
ORDER BY s.batch, s.server_id;

-- name: ClaimRollout :one
-- ClaimRollout takes a rollout that is due, unless another process is at it.
UPDATE module_rollouts SET lease_until = now() + make_interval(secs => @lease_seconds::float8)
WHERE id = (SELECT id FROM module_rollouts
    WHERE status IN ('running', 'rolling-back') AND next_at <= now() AND (lease_until IS NULL OR lease_until < now())
    ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: WriteRollout :exec
-- WriteRollout writes where a locked rollout stands.
UPDATE module_rollouts SET status = @status, batch = @batch, batch_done_at = sqlc.narg(batch_done_at), reason = @reason,
    lease_until = NULL, next_at = @next_at, updated_at = @updated_at
WHERE id = @id;

-- name: SetRolloutServer :exec
-- SetRolloutServer notes what was asked of a server.
UPDATE module_rollout_servers SET installation_id = coalesce(sqlc.narg(installation_id), installation_id),
    undo_id = coalesce(sqlc.narg(undo_id), undo_id), error = @error, undone = @undone
WHERE rollout_id = @rollout_id AND server_id = @server_id;
