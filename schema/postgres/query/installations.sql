-- name: LockServerModules :exec
-- LockServerModules lets one transaction at a time change what is asked of a server.
SELECT pg_advisory_xact_lock(hashtextextended(@scope::text, 20262511));

-- name: CreateInstallation :one
-- CreateInstallation asks for a module on a server.
INSERT INTO module_installations (id, license_id, server_id, module, version, file, sha256, size, replaces, needs, rollout_id,
    command_due, deadline, idempotency_key, created_at, updated_at)
VALUES (@id, @license_id, @server_id, @module, @version, @file, @sha256, @size, sqlc.narg(replaces), @needs, sqlc.narg(rollout_id),
    @now, @deadline, sqlc.narg(idempotency_key), @now, @now)
RETURNING *;

-- name: FindInstallation :one
-- FindInstallation reads one installation of a license.
SELECT * FROM module_installations WHERE license_id = @license_id AND id = @id;

-- name: FindInstallationByKey :one
-- FindInstallationByKey reads the installation that a request with this idempotency key made.
SELECT * FROM module_installations WHERE license_id = @license_id AND idempotency_key = @idempotency_key::text;

-- name: LockInstallation :one
-- LockInstallation reads one installation of a license and keeps others from changing it until the transaction ends.
SELECT * FROM module_installations WHERE license_id = @license_id AND id = @id FOR UPDATE;

-- name: ListInstallations :many
-- ListInstallations reads a license's installations, the newest first, behind a place in that order.
SELECT * FROM module_installations
WHERE license_id = @license_id
  AND (@server_id::text = '' OR server_id = @server_id::text)
  AND (@module::text = '' OR module = @module::text)
  AND (@status::text = '' OR status = @status::text)
  AND (created_at, id) < (@before_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @most::int;

-- name: ServerInstallations :many
-- ServerInstallations reads what is asked of a server or installed on it.
SELECT * FROM module_installations
WHERE license_id = @license_id AND server_id = @server_id
  AND status IN ('pending', 'dispatched', 'downloading', 'installing', 'uninstalling', 'installed');

-- name: ReconcilableInstallations :many
-- ReconcilableInstallations reads what an agent's inventory is compared with: what is installed, and what failed without
-- its word.
SELECT * FROM module_installations
WHERE license_id = @license_id AND server_id = @server_id
  AND (status = 'installed' OR status = 'failed' AND goal = 'present' AND code IN ('silent', 'unreached'));

-- name: InstalledModules :many
-- InstalledModules tells where each module of a license is installed.
SELECT module, server_id FROM module_installations WHERE license_id = @license_id AND status = 'installed' ORDER BY module, server_id;

-- name: WriteInstallation :exec
-- WriteInstallation writes the state of a locked installation.
UPDATE module_installations SET status = @status, goal = @goal, progress = @progress, error = @error, code = @code,
    attempt = @attempt, tries = @tries, command_due = sqlc.narg(command_due), lease_until = NULL, command_seq = sqlc.narg(command_seq),
    deadline = sqlc.narg(deadline), updated_at = @updated_at, installed_at = sqlc.narg(installed_at)
WHERE id = @id;

-- name: SetInstallationDrift :exec
-- SetInstallationDrift notes how the disk differs; '' = it does not.
UPDATE module_installations SET drift = @drift,
    drift_since = CASE WHEN @drift::text = '' THEN NULL ELSE coalesce(drift_since, @now::timestamptz) END
WHERE id = @id AND drift <> @drift::text;

-- name: AddInstallationChange :exec
-- AddInstallationChange writes a change of status down.
INSERT INTO module_installation_changes (installation_id, at, attempt, from_status, to_status, reason, actor)
VALUES (@installation_id, @at, @attempt, sqlc.narg(from_status), @to_status, @reason, @actor);

-- name: ListInstallationChanges :many
-- ListInstallationChanges reads what became of an installation, in order.
SELECT * FROM module_installation_changes WHERE installation_id = @installation_id ORDER BY seq LIMIT 500;

-- name: ClaimInstallations :many
-- ClaimInstallations takes installations whose command is to be sent, unless another process is at them; those that wait for
-- modules that must be there first are left.
UPDATE module_installations SET lease_until = now() + make_interval(secs => @lease_seconds::float8)
WHERE id IN (
    SELECT i.id FROM module_installations i
    WHERE i.command_due <= now() AND (i.lease_until IS NULL OR i.lease_until < now())
      AND NOT EXISTS (SELECT 1 FROM module_installations n WHERE n.id = ANY(i.needs) AND n.status <> 'installed' AND i.goal = 'present')
    ORDER BY i.command_due
    LIMIT @most::int
    FOR UPDATE OF i SKIP LOCKED)
RETURNING *;

-- name: DelayCommand :exec
-- DelayCommand gives a claim back to be sent later.
UPDATE module_installations SET lease_until = NULL, command_due = now() + make_interval(secs => @wait_seconds::float8)
WHERE id = @id AND attempt = @attempt AND command_due IS NOT NULL;

-- name: LockOverdueInstallations :many
-- LockOverdueInstallations takes installations whose deadline has passed, or that wait for one that will not come.
SELECT i.* FROM module_installations i
WHERE i.deadline <= now()
   OR i.status = 'pending' AND i.needs <> '{}' AND EXISTS (SELECT 1 FROM module_installations n
      WHERE n.id = ANY(i.needs) AND n.status IN ('failed', 'cancelled', 'uninstalling', 'uninstalled'))
ORDER BY i.deadline
LIMIT @most::int
FOR UPDATE OF i SKIP LOCKED;

-- name: FailedNeed :one
-- FailedNeed names a module that an installation waits for in vain.
SELECT module, status FROM module_installations
WHERE id = ANY(@needs::uuid[]) AND status IN ('failed', 'cancelled', 'uninstalling', 'uninstalled') LIMIT 1;

-- name: DependentModules :many
-- DependentModules names the modules on a server that need another one.
SELECT DISTINCT i.module FROM module_installations i
JOIN module_dependencies d ON d.module = i.module AND d.version = i.version
WHERE i.license_id = @license_id AND i.server_id = @server_id AND d.depends_on = @module
  AND i.status IN ('pending', 'dispatched', 'downloading', 'installing', 'installed');

-- name: UpsertAgent :exec
-- UpsertAgent writes what an agent said last; of a license that is gone nothing is written.
INSERT INTO agents (license_id, server_id, version, os, arch, started_at, seen_at, skew_ms, fault, installed)
SELECT id, @server_id, @version, @os, @arch, @started_at, @seen_at, @skew_ms, @fault, @installed FROM licenses WHERE id = @license_id
ON CONFLICT (license_id, server_id) DO UPDATE SET version = excluded.version, os = excluded.os, arch = excluded.arch,
    started_at = excluded.started_at, seen_at = excluded.seen_at, skew_ms = excluded.skew_ms, fault = excluded.fault, installed = excluded.installed;

-- name: FindAgent :one
-- FindAgent reads what an agent said last.
SELECT * FROM agents WHERE license_id = @license_id AND server_id = @server_id;

-- name: ListAgents :many
-- ListAgents reads the agents of a license, enrolled or heard; one that was never heard was seen at the epoch.
SELECT coalesce(u.server_id, a.server_id)::text AS server_id, (u.name IS NOT NULL)::boolean AS enrolled,
       coalesce(a.version, '')::text AS version, coalesce(a.os, '')::text AS os, coalesce(a.arch, '')::text AS arch,
       coalesce(a.started_at, 'epoch')::timestamptz AS started_at, coalesce(a.seen_at, 'epoch')::timestamptz AS seen_at, coalesce(a.skew_ms, 0)::bigint AS skew_ms, coalesce(a.fault, '')::text AS fault,
       coalesce(a.installed, '[]')::jsonb AS installed
FROM (SELECT name, server_id FROM nats_users WHERE nats_users.license_id = @license_id AND kind = 'agent') u
FULL JOIN (SELECT * FROM agents WHERE agents.license_id = @license_id) a ON a.server_id = u.server_id
ORDER BY 1;

-- name: ForgetAgent :exec
-- ForgetAgent removes what an agent said.
DELETE FROM agents WHERE license_id = @license_id AND server_id = @server_id;

-- name: LockInstalledModule :many
-- LockInstalledModule takes the installation in whose place another one is now.
SELECT * FROM module_installations
WHERE license_id = @license_id AND server_id = @server_id AND module = @module AND status = 'installed' AND id <> @id FOR UPDATE;

-- name: OpenInstallationsOf :one
-- OpenInstallationsOf counts what is under way on a server.
SELECT count(*) FROM module_installations
WHERE license_id = @license_id AND server_id = @server_id AND status IN ('dispatched', 'downloading', 'installing', 'uninstalling');
