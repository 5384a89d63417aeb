-- +goose Up
-- Custom measurements by the hour: one row a license, metric, server and hour.
CREATE TABLE IF NOT EXISTS corrosion.metrics_hourly
(
    license_id UUID CODEC(ZSTD(1)),
    metric LowCardinality(String) CODEC(ZSTD(1)),
    server_id LowCardinality(String) CODEC(ZSTD(1)),
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    min SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    max SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    last AggregateFunction(argMax, Float64, UInt128) CODEC(ZSTD(1)),
    minutes SimpleAggregateFunction(groupBitOr, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(hour)
ORDER BY (license_id, metric, server_id, hour)
TTL hour + toIntervalDay(90) DELETE
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.metrics_hourly_mv TO corrosion.metrics_hourly AS
WITH bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(ts)), 80), bitOr(bitShiftLeft(toUInt128(seq), 16), toUInt128(idx))) AS place
SELECT
    license_id, name AS metric, server_id, toStartOfHour(ts) AS hour,
    count() AS count, sum(value) AS sum, min(value) AS min, max(value) AS max,
    argMaxState(value, place) AS last,
    groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts))) AS minutes
FROM corrosion.samples
ARRAY JOIN mapKeys(metrics) AS name, mapValues(metrics) AS value
GROUP BY license_id, metric, server_id, hour;

-- +goose Down
DROP VIEW IF EXISTS corrosion.metrics_hourly_mv;
DROP TABLE IF EXISTS corrosion.metrics_hourly;
