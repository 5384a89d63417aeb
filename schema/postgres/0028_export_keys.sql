-- +goose Up
-- Idempotency keys of export jobs are kept with those of all other requests.
DROP INDEX export_jobs_idempotency;
ALTER TABLE export_jobs DROP COLUMN idempotency_key;

-- +goose Down
ALTER TABLE export_jobs ADD COLUMN idempotency_key text CHECK (length(idempotency_key) BETWEEN 1 AND 255);
CREATE UNIQUE INDEX export_jobs_idempotency ON export_jobs (license_id, idempotency_key);
