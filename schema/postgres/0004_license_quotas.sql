-- +goose Up
-- A license's own ingest quotas. NULL: that of the installation; 0: without bound.
CREATE TABLE license_quotas (
    license_id         uuid PRIMARY KEY REFERENCES licenses (id) ON DELETE CASCADE,
    samples_per_second bigint CHECK (samples_per_second BETWEEN 0 AND 1125899906842624),
    bytes_per_second   bigint CHECK (bytes_per_second BETWEEN 0 AND 1125899906842624),
    servers            bigint CHECK (servers BETWEEN 0 AND 1125899906842624),
    metric_names       bigint CHECK (metric_names BETWEEN 0 AND 1125899906842624),
    updated_at         timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE license_quotas;
