-- name: ClaimJobRun :one
-- ClaimJobRun takes an occurrence: a new one, one whose runner died, or one that failed fewer than @attempts times.
-- The caller holds the job's lock. No row: somebody else has done it.
INSERT INTO job_runs (job, scheduled_at, cause, instance) VALUES (@job, @scheduled_at, @cause, @instance)
ON CONFLICT (job, scheduled_at) DO UPDATE
SET instance = excluded.instance, started_at = now(), finished_at = NULL, error = '', attempts = job_runs.attempts + 1
WHERE job_runs.finished_at IS NULL OR (job_runs.error <> '' AND job_runs.attempts < @attempts::integer)
RETURNING id;

-- name: FinishJobRun :exec
-- FinishJobRun writes down what a run did; the id must still be this instance's.
UPDATE job_runs
SET finished_at = now(), duration_ms = @duration_ms, window_from = @window_from, window_to = @window_to, hours_checked = @hours_checked,
    hours_healed = @hours_healed, rows_removed = @rows_removed, error = @error, detail = @detail
WHERE id = @id AND instance = @instance;

-- name: FindJobRun :one
-- FindJobRun reads one occurrence.
SELECT * FROM job_runs WHERE job = @job AND scheduled_at = @scheduled_at;

-- name: ListJobRuns :many
-- ListJobRuns lists runs, newest first; an empty job means all of them.
SELECT * FROM job_runs WHERE (@job::text = '' OR job = @job) ORDER BY started_at DESC, id DESC LIMIT @max_rows;

-- name: DeleteJobRuns :execrows
-- DeleteJobRuns forgets runs that began before a moment.
DELETE FROM job_runs WHERE started_at < @before;

-- name: ListJobMarks :many
-- ListJobMarks reads how far a job has come.
SELECT name, value FROM job_marks WHERE job = @job;

-- name: PutJobMark :exec
-- PutJobMark notes how far a job has come.
INSERT INTO job_marks (job, name, value) VALUES (@job, @name, @value)
ON CONFLICT (job, name) DO UPDATE SET value = excluded.value, updated_at = now();

-- name: DeleteJobMark :exec
-- DeleteJobMark forgets a mark.
DELETE FROM job_marks WHERE job = @job AND name = @name;
