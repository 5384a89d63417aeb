-- +goose Up
-- One row a license, server and hour; rows of one key may stand in several parts until they merge, so readers always
-- aggregate. x_last keeps the value with the highest (ts, seq, idx), packed as ts << 80 | seq << 16 | idx.
-- minutes has bit m set when a sample fell into minute m. boots and starts hold what tells restarts apart whatever the
-- order of arrival: distinct hashes of boot, and distinct start times (ts - uptime_s) in units of 10 s.
CREATE TABLE IF NOT EXISTS corrosion.samples_hourly
(
    license_id UUID CODEC(ZSTD(1)),
    server_id LowCardinality(String) CODEC(ZSTD(1)),
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    players_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    players_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    players_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)),
    players_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    players_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    max_players_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    max_players_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    max_players_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)),
    max_players_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    max_players_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    queued_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    queued_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    queued_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)),
    queued_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    queued_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    joining_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    joining_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    joining_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)),
    joining_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    joining_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    sleepers_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    sleepers_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    sleepers_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)),
    sleepers_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    sleepers_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    fps_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    fps_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    fps_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)),
    fps_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    fps_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    frame_ms_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    frame_ms_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    frame_ms_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)),
    frame_ms_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    frame_ms_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    entities_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    entities_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    entities_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)),
    entities_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    entities_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    memory_mb_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    memory_mb_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    memory_mb_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)),
    memory_mb_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    memory_mb_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    cpu_percent_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cpu_percent_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    cpu_percent_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)),
    cpu_percent_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    cpu_percent_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    net_in_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    net_in_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    net_in_min SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
    net_in_max SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
    net_in_last AggregateFunction(argMax, Nullable(UInt64), UInt128) CODEC(ZSTD(1)),
    net_out_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    net_out_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    net_out_min SimpleAggregateFunction(min, Nullable(UInt64)) CODEC(ZSTD(1)),
    net_out_max SimpleAggregateFunction(max, Nullable(UInt64)) CODEC(ZSTD(1)),
    net_out_last AggregateFunction(argMax, Nullable(UInt64), UInt128) CODEC(ZSTD(1)),
    uptime_s_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    uptime_s_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    uptime_s_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)),
    uptime_s_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    uptime_s_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    fps_sketch AggregateFunction(quantilesBFloat16(0.05, 0.5, 0.95, 0.99), Nullable(Float64)) CODEC(ZSTD(1)),
    frame_ms_sketch AggregateFunction(quantilesBFloat16(0.05, 0.5, 0.95, 0.99), Nullable(Float64)) CODEC(ZSTD(1)),
    minutes SimpleAggregateFunction(groupBitOr, UInt64) CODEC(ZSTD(1)),
    boots SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) CODEC(ZSTD(1)),
    starts SimpleAggregateFunction(groupUniqArrayArray, Array(UInt32)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(hour)
ORDER BY (license_id, server_id, hour)
TTL hour + toIntervalDay(90) DELETE
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.samples_hourly_mv TO corrosion.samples_hourly AS
WITH bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(ts)), 80), bitOr(bitShiftLeft(toUInt128(seq), 16), toUInt128(idx))) AS place
SELECT
    license_id, server_id, toStartOfHour(ts) AS hour,
    count() AS samples,
    count(players) AS players_count, ifNull(sum(players), 0) AS players_sum, min(players) AS players_min, max(players) AS players_max, argMaxState(players, place) AS players_last,
    count(max_players) AS max_players_count, ifNull(sum(max_players), 0) AS max_players_sum, min(max_players) AS max_players_min, max(max_players) AS max_players_max, argMaxState(max_players, place) AS max_players_last,
    count(queued) AS queued_count, ifNull(sum(queued), 0) AS queued_sum, min(queued) AS queued_min, max(queued) AS queued_max, argMaxState(queued, place) AS queued_last,
    count(joining) AS joining_count, ifNull(sum(joining), 0) AS joining_sum, min(joining) AS joining_min, max(joining) AS joining_max, argMaxState(joining, place) AS joining_last,
    count(sleepers) AS sleepers_count, ifNull(sum(sleepers), 0) AS sleepers_sum, min(sleepers) AS sleepers_min, max(sleepers) AS sleepers_max, argMaxState(sleepers, place) AS sleepers_last,
    count(fps) AS fps_count, ifNull(sum(fps), 0) AS fps_sum, min(fps) AS fps_min, max(fps) AS fps_max, argMaxState(fps, place) AS fps_last,
    count(frame_ms) AS frame_ms_count, ifNull(sum(frame_ms), 0) AS frame_ms_sum, min(frame_ms) AS frame_ms_min, max(frame_ms) AS frame_ms_max, argMaxState(frame_ms, place) AS frame_ms_last,
    count(entities) AS entities_count, ifNull(sum(entities), 0) AS entities_sum, min(entities) AS entities_min, max(entities) AS entities_max, argMaxState(entities, place) AS entities_last,
    count(memory_mb) AS memory_mb_count, ifNull(sum(memory_mb), 0) AS memory_mb_sum, min(memory_mb) AS memory_mb_min, max(memory_mb) AS memory_mb_max, argMaxState(memory_mb, place) AS memory_mb_last,
    count(cpu_percent) AS cpu_percent_count, ifNull(sum(cpu_percent), 0) AS cpu_percent_sum, min(cpu_percent) AS cpu_percent_min, max(cpu_percent) AS cpu_percent_max, argMaxState(cpu_percent, place) AS cpu_percent_last,
    count(net_in) AS net_in_count, ifNull(sum(net_in), 0) AS net_in_sum, min(net_in) AS net_in_min, max(net_in) AS net_in_max, argMaxState(net_in, place) AS net_in_last,
    count(net_out) AS net_out_count, ifNull(sum(net_out), 0) AS net_out_sum, min(net_out) AS net_out_min, max(net_out) AS net_out_max, argMaxState(net_out, place) AS net_out_last,
    count(uptime_s) AS uptime_s_count, ifNull(sum(uptime_s), 0) AS uptime_s_sum, min(uptime_s) AS uptime_s_min, max(uptime_s) AS uptime_s_max, argMaxState(uptime_s, place) AS uptime_s_last,
    quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS fps_sketch,
    quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS frame_ms_sketch,
    groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts))) AS minutes,
    groupUniqArrayIf(cityHash64(assumeNotNull(boot)), isNotNull(boot)) AS boots,
    groupUniqArrayIf(toUInt32(intDiv(greatest(toInt64(toUnixTimestamp(ts)) - assumeNotNull(uptime_s), 0), 10)), isNotNull(uptime_s)) AS starts
FROM corrosion.samples
GROUP BY license_id, server_id, hour;

-- +goose Down
DROP VIEW IF EXISTS corrosion.samples_hourly_mv;
DROP TABLE IF EXISTS corrosion.samples_hourly;
