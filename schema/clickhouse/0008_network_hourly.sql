-- +goose Up
-- A license's hours over all its servers, which no rollup of single servers can give: the one-minute total is the sum over
-- servers of each server's mean in that minute. An hour is written again when its samples changed; the newest version
-- counts. Read network_hourly, which has each hour once.
CREATE TABLE IF NOT EXISTS corrosion.network_hours
(
    license_id        UUID                    CODEC(ZSTD(1)),
    hour              DateTime('UTC')         CODEC(DoubleDelta, ZSTD(1)),
    peak_players      Nullable(Float64)       CODEC(ZSTD(1)),
    peak_at           Nullable(DateTime('UTC')) CODEC(ZSTD(1)),
    avg_players       Nullable(Float64)       CODEC(ZSTD(1)),
    servers_reporting UInt64                  CODEC(T64, ZSTD(1)),
    samples           UInt64                  CODEC(T64, ZSTD(1)),
    version           UInt64                  CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toDate(hour)
ORDER BY (license_id, hour)
TTL hour + toIntervalDay(90) DELETE
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 0;

CREATE VIEW IF NOT EXISTS corrosion.network_hourly AS
SELECT license_id, hour, peak_players, peak_at, avg_players, servers_reporting, samples
FROM corrosion.network_hours FINAL;

-- +goose Down
DROP VIEW IF EXISTS corrosion.network_hourly;
DROP TABLE IF EXISTS corrosion.network_hours;
