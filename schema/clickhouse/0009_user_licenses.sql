-- +goose Up
-- Which license's rows a reader of the local engine's pool sees: the row filters of these users ask here. A partition a
-- user, so that a row is taken back at once, without waiting for a mutation. Postgres (sql_access) has the last word.
CREATE TABLE IF NOT EXISTS corrosion.user_licenses
(
    user       String,
    license_id UUID
)
ENGINE = MergeTree
PARTITION BY user
ORDER BY user
SETTINGS non_replicated_deduplication_window = 0;

-- +goose Down
DROP TABLE IF EXISTS corrosion.user_licenses;
