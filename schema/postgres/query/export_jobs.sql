-- name: LockExportJobs :exec
-- LockExportJobs lets one transaction at a time create or claim jobs, so that limits over all jobs hold.
SELECT pg_advisory_xact_lock(8210350942147008);

-- name: CreateExportJob :one
-- CreateExportJob queues a job.
INSERT INTO export_jobs (id, license_id, request) VALUES (@id, @license_id, @request) RETURNING *;

-- name: FindExportJob :one
-- FindExportJob reads one job of a license.
SELECT * FROM export_jobs WHERE license_id = @license_id AND id = @id;

-- name: ListExportJobs :many
-- ListExportJobs reads a license's newest jobs.
SELECT * FROM export_jobs WHERE license_id = @license_id ORDER BY created_at DESC, id DESC LIMIT @most::int;

-- name: CountOpenExportJobs :one
-- CountOpenExportJobs counts a license's jobs that wait or run.
SELECT count(*) FROM export_jobs WHERE license_id = @license_id AND status IN ('queued', 'running');

-- name: ExportBytes :one
-- ExportBytes sums what the files of a place take, but for one job: of all licenses, and of one.
SELECT coalesce(sum(bytes), 0)::bigint AS total,
       coalesce(sum(bytes) FILTER (WHERE license_id = @license_id), 0)::bigint AS license
FROM export_jobs WHERE place = @place::uuid AND id <> @id AND status IN ('running', 'done');

-- name: ClaimExportJob :one
-- ClaimExportJob takes the oldest job that waits, or whose worker is gone, of a license with room for one more. A worker
-- that is gone counts as a fault.
UPDATE export_jobs SET status = 'running', attempt = attempt + 1, faults = faults + CASE WHEN status = 'running' THEN 1 ELSE 0 END, place = @place::uuid, rows = 0, rows_estimate = NULL, bytes = 0, error = '',
    lease_until = now() + make_interval(secs => @lease_seconds::float8), started_at = coalesce(started_at, now())
WHERE id = (
    SELECT j.id FROM export_jobs j
    WHERE (j.status = 'queued' AND j.not_before <= now() OR j.status = 'running' AND j.lease_until < now())
      AND (SELECT count(*) FROM export_jobs r
           WHERE r.license_id = j.license_id AND r.status = 'running' AND r.lease_until >= now()) < @per_license::int
    ORDER BY j.created_at, j.id
    LIMIT 1
    FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: BeatExportJob :execrows
-- BeatExportJob renews the lease and notes how far the job is; no row: the job is another's or over.
UPDATE export_jobs SET lease_until = now() + make_interval(secs => @lease_seconds::float8), rows = @rows, rows_estimate = sqlc.narg('rows_estimate'), bytes = @bytes
WHERE id = @id AND attempt = @attempt AND status = 'running';

-- name: FinishExportJob :execrows
-- FinishExportJob ends a job well, unless it is another's or over.
UPDATE export_jobs SET status = 'done', rows = @rows, rows_estimate = @rows, bytes = @bytes, manifest = @manifest, error = '',
    lease_until = NULL, finished_at = now(), expires_at = now() + make_interval(secs => @keep_seconds::float8)
WHERE id = @id AND attempt = @attempt AND status = 'running';

-- name: FailExportJob :execrows
-- FailExportJob ends a job with an error, unless it is another's or over.
UPDATE export_jobs SET status = 'failed', error = @error, bytes = 0, lease_until = NULL, finished_at = now()
WHERE id = @id AND attempt = @attempt AND status = 'running';

-- name: RequeueExportJob :execrows
-- RequeueExportJob gives a job back to be done again; faults counts the tries that failed.
UPDATE export_jobs SET status = 'queued', error = @error, faults = faults + @faults, rows = 0, bytes = 0, lease_until = NULL, not_before = now() + make_interval(secs => @wait_seconds::float8)
WHERE id = @id AND attempt = @attempt AND status = 'running';

-- name: CancelExportJob :execrows
-- CancelExportJob ends a job that waits or runs; its worker finds out with its next beat.
UPDATE export_jobs SET status = 'cancelled', bytes = 0, lease_until = NULL, finished_at = now()
WHERE license_id = @license_id AND id = @id AND status IN ('queued', 'running');

-- name: DeleteExportJob :execrows
-- DeleteExportJob forgets a job that is over.
DELETE FROM export_jobs WHERE license_id = @license_id AND id = @id AND status NOT IN ('queued', 'running');

-- name: ExpireExportJobs :execrows
-- ExpireExportJobs ends the time of files.
UPDATE export_jobs SET status = 'expired', bytes = 0 WHERE status = 'done' AND expires_at <= now();

-- name: ForgetExportJobs :execrows
-- ForgetExportJobs deletes what has been over for long.
DELETE FROM export_jobs WHERE status IN ('failed', 'cancelled', 'expired') AND finished_at < now() - make_interval(secs => @age_seconds::float8);

-- name: KeptExportJobs :many
-- KeptExportJobs names the jobs and tries whose files a place must keep.
SELECT id, attempt FROM export_jobs WHERE place = @place::uuid AND status IN ('running', 'done');
