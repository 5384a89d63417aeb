-- name: FindLicenseQuotas :one
-- FindLicenseQuotas reads whether a license exists, and its own quotas; no row where it does not exist.
SELECT q.samples_per_second, q.bytes_per_second, q.servers, q.metric_names
FROM licenses l LEFT JOIN license_quotas q ON q.license_id = l.id
WHERE l.id = @license_id;

-- name: SetLicenseQuotas :exec
-- SetLicenseQuotas replaces a license's own quotas; NULL is that of the installation.
INSERT INTO license_quotas (license_id, samples_per_second, bytes_per_second, servers, metric_names)
VALUES (@license_id, sqlc.narg('samples_per_second'), sqlc.narg('bytes_per_second'), sqlc.narg('servers'), sqlc.narg('metric_names'))
ON CONFLICT (license_id) DO UPDATE SET
    samples_per_second = excluded.samples_per_second, bytes_per_second = excluded.bytes_per_second,
    servers = excluded.servers, metric_names = excluded.metric_names, updated_at = now();
