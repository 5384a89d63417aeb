-- name: ListLicenses :many
-- ListLicenses is a page of all licenses, newest first, behind a place; search finds names and ids by a part of them.
SELECT l.id, l.name, l.created_at, l.suspended_at, coalesce(s.reason, '') AS suspended_reason,
    (SELECT count(*) FROM license_members m WHERE m.license_id = l.id) AS members,
    (SELECT coalesce(min(u.email), '')::text FROM license_members m JOIN users u ON u.id = m.user_id WHERE m.license_id = l.id AND m.role = 'owner') AS owner
FROM licenses l LEFT JOIN license_suspensions s ON s.license_id = l.id
WHERE (l.created_at, l.id) < (@before_at::timestamptz, @before_id::uuid)
  AND (@search::text = '' OR position(lower(@search::text) IN lower(l.name)) > 0 OR starts_with(l.id::text, lower(@search::text)))
  AND (@state::text = '' OR (@state::text = 'suspended') = (l.suspended_at IS NOT NULL))
ORDER BY l.created_at DESC, l.id DESC
LIMIT @most;

-- name: FindLicenseDetails :one
-- FindLicenseDetails is one license as its operator sees it.
SELECT l.id, l.name, l.created_at, l.suspended_at, coalesce(s.reason, '') AS suspended_reason, s.suspended_by,
    (SELECT count(*) FROM license_members m WHERE m.license_id = l.id) AS members,
    (SELECT coalesce(min(u.email), '')::text FROM license_members m JOIN users u ON u.id = m.user_id WHERE m.license_id = l.id AND m.role = 'owner') AS owner,
    (SELECT count(*) FROM nats_users n WHERE n.license_id = l.id) AS nats_users,
    (SELECT count(*) FROM servers v WHERE v.license_id = l.id) AS servers_written,
    q.samples_per_second, q.bytes_per_second, q.servers, q.metric_names
FROM licenses l LEFT JOIN license_suspensions s ON s.license_id = l.id LEFT JOIN license_quotas q ON q.license_id = l.id
WHERE l.id = @id;

-- name: LicenseNames :many
-- LicenseNames are the names of some licenses.
SELECT id, name, suspended_at FROM licenses WHERE id = ANY(@ids::uuid[]);

-- name: PutSuspension :exec
-- PutSuspension notes why a license is suspended; a later reason takes the place of the one before.
INSERT INTO license_suspensions (license_id, reason, suspended_by, at) VALUES (@license_id, @reason, sqlc.narg(suspended_by), @at)
ON CONFLICT (license_id) DO UPDATE SET reason = excluded.reason, suspended_by = excluded.suspended_by, at = excluded.at;

-- name: DeleteSuspension :exec
-- DeleteSuspension forgets why a license was suspended.
DELETE FROM license_suspensions WHERE license_id = @license_id;

-- name: PutJob :exec
-- PutJob notes that aggregators know a job.
INSERT INTO jobs (name, schedule, seen_at) VALUES (@name, @schedule, now())
ON CONFLICT (name) DO UPDATE SET schedule = excluded.schedule, seen_at = now();

-- name: ListJobs :many
-- ListJobs are the jobs, with the newest run of each where there is one.
SELECT j.name, j.schedule, j.seen_at, r.started_at, r.finished_at, coalesce(r.error, '') AS error
FROM jobs j LEFT JOIN job_runs r ON r.id = (SELECT n.id FROM job_runs n WHERE n.job = j.name ORDER BY n.started_at DESC, n.id DESC LIMIT 1)
ORDER BY j.name;

-- name: PageJobRuns :many
-- PageJobRuns is a page of runs, newest first, with an id below a place; an empty job means all of them.
SELECT * FROM job_runs WHERE id < @before AND (@job::text = '' OR job = @job) ORDER BY id DESC LIMIT @most;

-- name: RequestJob :execrows
-- RequestJob asks for a run of a job that aggregators know.
INSERT INTO job_requests (job, requested_at, requested_by, window_from, window_to)
SELECT name, @requested_at, sqlc.narg(requested_by), sqlc.narg(window_from), sqlc.narg(window_to) FROM jobs WHERE name = @job;

-- name: OpenJobRequests :many
-- OpenJobRequests are the runs that were asked for within a day and are not finished, oldest first.
SELECT q.job, q.requested_at, q.window_from, q.window_to
FROM job_requests q LEFT JOIN job_runs r ON r.job = q.job AND r.scheduled_at = q.requested_at
WHERE r.finished_at IS NULL AND q.requested_at > now() - interval '1 day'
ORDER BY q.requested_at LIMIT 20;

-- name: FindJobRequest :one
-- FindJobRequest is a run that was asked for, with what became of it so far.
SELECT q.job, q.requested_at, q.window_from, q.window_to, r.id AS run_id, r.started_at, r.finished_at, coalesce(r.error, '') AS error
FROM job_requests q LEFT JOIN job_runs r ON r.job = q.job AND r.scheduled_at = q.requested_at
WHERE q.job = @job AND q.requested_at = @requested_at;
