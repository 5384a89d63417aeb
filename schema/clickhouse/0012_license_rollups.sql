-- +goose Up
-- Figures over all servers of a license, so that a question about the whole license does not read each server's rows.
--
-- license_minutely and license_hourly hold what merges sample by sample, filled at insert. What adds up over servers needs
-- each server's mean first, which does not merge: the refreshable views below compute it from whole minutes (samples) and
-- whole hours (samples_hourly). A row of these totals says how many samples it was computed from; readers use it only while
-- that is what the live table counts, so a late sample makes its minute be read from samples until the next refresh. One
-- refresh takes some 4 million samples, or hours of 100 million. Not for operators: network_hourly is.
CREATE TABLE IF NOT EXISTS corrosion.license_minutely
(
    license_id UUID CODEC(ZSTD(1)),
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    players_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), players_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    max_players_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), max_players_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    queued_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), queued_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    joining_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), joining_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    sleepers_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), sleepers_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    fps_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), fps_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    fps_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)), fps_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    frame_ms_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), frame_ms_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    frame_ms_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)), frame_ms_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    entities_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), entities_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    entities_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)), entities_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    memory_mb_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), memory_mb_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    memory_mb_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)), memory_mb_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    cpu_percent_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), cpu_percent_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    cpu_percent_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)), cpu_percent_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    net_in_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), net_in_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    net_out_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), net_out_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    uptime_s_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), uptime_s_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    uptime_s_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)), uptime_s_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    fps_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    frame_ms_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    memory_mb_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    cpu_percent_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    uptime_s_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    fps_sketch AggregateFunction(quantilesBFloat16(0.05, 0.5, 0.95, 0.99), Nullable(Float64)) CODEC(ZSTD(1)),
    frame_ms_sketch AggregateFunction(quantilesBFloat16(0.05, 0.5, 0.95, 0.99), Nullable(Float64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(minute)
ORDER BY (license_id, minute)
TTL minute + toIntervalDay(7) DELETE
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS corrosion.license_hourly
(
    license_id UUID CODEC(ZSTD(1)),
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    players_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), players_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    max_players_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), max_players_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    queued_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), queued_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    joining_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), joining_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    sleepers_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), sleepers_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    fps_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), fps_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    fps_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)), fps_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    frame_ms_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), frame_ms_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    frame_ms_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)), frame_ms_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    entities_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), entities_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    entities_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)), entities_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    memory_mb_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), memory_mb_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    memory_mb_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)), memory_mb_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    cpu_percent_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), cpu_percent_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    cpu_percent_min SimpleAggregateFunction(min, Nullable(Float64)) CODEC(ZSTD(1)), cpu_percent_max SimpleAggregateFunction(max, Nullable(Float64)) CODEC(ZSTD(1)),
    net_in_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), net_in_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    net_out_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), net_out_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    uptime_s_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), uptime_s_sum SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    uptime_s_min SimpleAggregateFunction(min, Nullable(UInt32)) CODEC(ZSTD(1)), uptime_s_max SimpleAggregateFunction(max, Nullable(UInt32)) CODEC(ZSTD(1)),
    fps_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    frame_ms_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    memory_mb_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    cpu_percent_last AggregateFunction(argMax, Nullable(Float64), UInt128) CODEC(ZSTD(1)),
    uptime_s_last AggregateFunction(argMax, Nullable(UInt32), UInt128) CODEC(ZSTD(1)),
    fps_sketch AggregateFunction(quantilesBFloat16(0.05, 0.5, 0.95, 0.99), Nullable(Float64)) CODEC(ZSTD(1)),
    frame_ms_sketch AggregateFunction(quantilesBFloat16(0.05, 0.5, 0.95, 0.99), Nullable(Float64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(hour)
ORDER BY (license_id, hour)
TTL hour + toIntervalDay(90) DELETE
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.license_hourly_mv TO corrosion.license_hourly AS
WITH bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(ts)), 80), bitOr(bitShiftLeft(toUInt128(seq), 16), toUInt128(idx))) AS place
SELECT
    license_id, toStartOfHour(ts) AS hour, count() AS samples,
    count(players) AS players_count, ifNull(sum(players), 0) AS players_sum,
    count(max_players) AS max_players_count, ifNull(sum(max_players), 0) AS max_players_sum,
    count(queued) AS queued_count, ifNull(sum(queued), 0) AS queued_sum,
    count(joining) AS joining_count, ifNull(sum(joining), 0) AS joining_sum,
    count(sleepers) AS sleepers_count, ifNull(sum(sleepers), 0) AS sleepers_sum,
    count(fps) AS fps_count, ifNull(sum(fps), 0) AS fps_sum, min(fps) AS fps_min, max(fps) AS fps_max,
    count(frame_ms) AS frame_ms_count, ifNull(sum(frame_ms), 0) AS frame_ms_sum, min(frame_ms) AS frame_ms_min, max(frame_ms) AS frame_ms_max,
    count(entities) AS entities_count, ifNull(sum(entities), 0) AS entities_sum, min(entities) AS entities_min, max(entities) AS entities_max,
    count(memory_mb) AS memory_mb_count, ifNull(sum(memory_mb), 0) AS memory_mb_sum, min(memory_mb) AS memory_mb_min, max(memory_mb) AS memory_mb_max,
    count(cpu_percent) AS cpu_percent_count, ifNull(sum(cpu_percent), 0) AS cpu_percent_sum, min(cpu_percent) AS cpu_percent_min, max(cpu_percent) AS cpu_percent_max,
    count(net_in) AS net_in_count, ifNull(sum(net_in), 0) AS net_in_sum,
    count(net_out) AS net_out_count, ifNull(sum(net_out), 0) AS net_out_sum,
    count(uptime_s) AS uptime_s_count, ifNull(sum(uptime_s), 0) AS uptime_s_sum, min(uptime_s) AS uptime_s_min, max(uptime_s) AS uptime_s_max,
    argMaxState(fps, place) AS fps_last, argMaxState(frame_ms, place) AS frame_ms_last, argMaxState(memory_mb, place) AS memory_mb_last, argMaxState(cpu_percent, place) AS cpu_percent_last, argMaxState(uptime_s, place) AS uptime_s_last,
    quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS fps_sketch,
    quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS frame_ms_sketch
FROM corrosion.samples
GROUP BY license_id, hour;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.license_minutely_mv TO corrosion.license_minutely AS
WITH bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(ts)), 80), bitOr(bitShiftLeft(toUInt128(seq), 16), toUInt128(idx))) AS place
SELECT
    license_id, toStartOfMinute(ts) AS minute, count() AS samples,
    count(players) AS players_count, ifNull(sum(players), 0) AS players_sum,
    count(max_players) AS max_players_count, ifNull(sum(max_players), 0) AS max_players_sum,
    count(queued) AS queued_count, ifNull(sum(queued), 0) AS queued_sum,
    count(joining) AS joining_count, ifNull(sum(joining), 0) AS joining_sum,
    count(sleepers) AS sleepers_count, ifNull(sum(sleepers), 0) AS sleepers_sum,
    count(fps) AS fps_count, ifNull(sum(fps), 0) AS fps_sum, min(fps) AS fps_min, max(fps) AS fps_max,
    count(frame_ms) AS frame_ms_count, ifNull(sum(frame_ms), 0) AS frame_ms_sum, min(frame_ms) AS frame_ms_min, max(frame_ms) AS frame_ms_max,
    count(entities) AS entities_count, ifNull(sum(entities), 0) AS entities_sum, min(entities) AS entities_min, max(entities) AS entities_max,
    count(memory_mb) AS memory_mb_count, ifNull(sum(memory_mb), 0) AS memory_mb_sum, min(memory_mb) AS memory_mb_min, max(memory_mb) AS memory_mb_max,
    count(cpu_percent) AS cpu_percent_count, ifNull(sum(cpu_percent), 0) AS cpu_percent_sum, min(cpu_percent) AS cpu_percent_min, max(cpu_percent) AS cpu_percent_max,
    count(net_in) AS net_in_count, ifNull(sum(net_in), 0) AS net_in_sum,
    count(net_out) AS net_out_count, ifNull(sum(net_out), 0) AS net_out_sum,
    count(uptime_s) AS uptime_s_count, ifNull(sum(uptime_s), 0) AS uptime_s_sum, min(uptime_s) AS uptime_s_min, max(uptime_s) AS uptime_s_max,
    argMaxState(fps, place) AS fps_last, argMaxState(frame_ms, place) AS frame_ms_last, argMaxState(memory_mb, place) AS memory_mb_last, argMaxState(cpu_percent, place) AS cpu_percent_last, argMaxState(uptime_s, place) AS uptime_s_last,
    quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS fps_sketch,
    quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS frame_ms_sketch
FROM corrosion.samples
GROUP BY license_id, minute;

CREATE TABLE IF NOT EXISTS corrosion.license_minutely_totals
(
    license_id UUID CODEC(ZSTD(1)),
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    samples UInt64 CODEC(T64, ZSTD(1)),
    players Nullable(Float64) CODEC(ZSTD(1)),
    max_players Nullable(Float64) CODEC(ZSTD(1)),
    queued Nullable(Float64) CODEC(ZSTD(1)),
    joining Nullable(Float64) CODEC(ZSTD(1)),
    sleepers Nullable(Float64) CODEC(ZSTD(1)),
    entities Nullable(Float64) CODEC(ZSTD(1)),
    net_in Nullable(Float64) CODEC(ZSTD(1)),
    net_out Nullable(Float64) CODEC(ZSTD(1)),
    built_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(built_at)
PARTITION BY toDate(minute)
ORDER BY (license_id, minute)
TTL minute + toIntervalDay(7) DELETE
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS corrosion.license_hourly_totals
(
    license_id UUID CODEC(ZSTD(1)),
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    samples UInt64 CODEC(T64, ZSTD(1)),
    players_weighted Float64 CODEC(ZSTD(1)), players_minutes UInt8 CODEC(ZSTD(1)),
    max_players_weighted Float64 CODEC(ZSTD(1)), max_players_minutes UInt8 CODEC(ZSTD(1)),
    queued_weighted Float64 CODEC(ZSTD(1)), queued_minutes UInt8 CODEC(ZSTD(1)),
    joining_weighted Float64 CODEC(ZSTD(1)), joining_minutes UInt8 CODEC(ZSTD(1)),
    sleepers_weighted Float64 CODEC(ZSTD(1)), sleepers_minutes UInt8 CODEC(ZSTD(1)),
    entities_weighted Float64 CODEC(ZSTD(1)), entities_minutes UInt8 CODEC(ZSTD(1)),
    net_in_weighted Float64 CODEC(ZSTD(1)), net_in_minutes UInt8 CODEC(ZSTD(1)),
    net_out_weighted Float64 CODEC(ZSTD(1)), net_out_minutes UInt8 CODEC(ZSTD(1)),
    built_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(built_at)
PARTITION BY toDate(hour)
ORDER BY (license_id, hour)
TTL hour + toIntervalDay(90) DELETE
SETTINGS ttl_only_drop_parts = 1;

-- The last two hours every minute, the rest every five.
CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.license_minutely_totals_fresh
REFRESH EVERY 1 MINUTE OFFSET 2 SECOND APPEND TO corrosion.license_minutely_totals AS
WITH
    due AS
    (
        SELECT license_id, minute
        FROM
        (
            SELECT license_id, minute, sum(live.samples) OVER (ORDER BY minute DESC, license_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM
            (
                SELECT license_id, minute, sum(m.samples) AS samples
                FROM corrosion.license_minutely AS m
                WHERE minute >= now() - toIntervalHour(2) AND minute < toStartOfMinute(now())
                GROUP BY license_id, minute
            ) AS live
            LEFT ANTI JOIN
            (
                SELECT license_id, minute, argMax(t.samples, built_at) AS samples
                FROM corrosion.license_minutely_totals AS t
                WHERE minute >= now() - toIntervalHour(2) AND minute < toStartOfMinute(now())
                GROUP BY license_id, minute
            ) AS built USING (license_id, minute, samples)
        )
        WHERE before < 4000000
    )
SELECT license_id, minute, sum(n) AS samples, sum(players_mean) AS players, sum(max_players_mean) AS max_players, sum(queued_mean) AS queued, sum(joining_mean) AS joining, sum(sleepers_mean) AS sleepers, sum(entities_mean) AS entities, sum(net_in_mean) AS net_in, sum(net_out_mean) AS net_out, now64(3, 'UTC') AS built_at
FROM
(
    SELECT license_id, server_id, toStartOfMinute(ts) AS minute, count() AS n, avg(players) AS players_mean, avg(max_players) AS max_players_mean, avg(queued) AS queued_mean, avg(joining) AS joining_mean, avg(sleepers) AS sleepers_mean, avg(entities) AS entities_mean, avg(net_in) AS net_in_mean, avg(net_out) AS net_out_mean
    FROM corrosion.samples
    WHERE ts >= (SELECT min(minute) FROM due) AND ts < (SELECT max(minute) FROM due) + toIntervalMinute(1)
        AND (license_id, toStartOfMinute(ts)) IN (SELECT license_id, minute FROM due)
    GROUP BY license_id, server_id, minute
)
GROUP BY license_id, minute;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.license_minutely_totals_rest
REFRESH EVERY 5 MINUTE OFFSET 25 SECOND APPEND TO corrosion.license_minutely_totals AS
WITH
    due AS
    (
        SELECT license_id, minute
        FROM
        (
            SELECT license_id, minute, sum(live.samples) OVER (ORDER BY minute DESC, license_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM
            (
                SELECT license_id, minute, sum(m.samples) AS samples
                FROM corrosion.license_minutely AS m
                WHERE minute >= toDateTime(0) AND minute < toStartOfMinute(now()) - toIntervalMinute(1)
                GROUP BY license_id, minute
            ) AS live
            LEFT ANTI JOIN
            (
                SELECT license_id, minute, argMax(t.samples, built_at) AS samples
                FROM corrosion.license_minutely_totals AS t
                WHERE minute >= toDateTime(0) AND minute < toStartOfMinute(now()) - toIntervalMinute(1)
                GROUP BY license_id, minute
            ) AS built USING (license_id, minute, samples)
        )
        WHERE before < 4000000
    )
SELECT license_id, minute, sum(n) AS samples, sum(players_mean) AS players, sum(max_players_mean) AS max_players, sum(queued_mean) AS queued, sum(joining_mean) AS joining, sum(sleepers_mean) AS sleepers, sum(entities_mean) AS entities, sum(net_in_mean) AS net_in, sum(net_out_mean) AS net_out, now64(3, 'UTC') AS built_at
FROM
(
    SELECT license_id, server_id, toStartOfMinute(ts) AS minute, count() AS n, avg(players) AS players_mean, avg(max_players) AS max_players_mean, avg(queued) AS queued_mean, avg(joining) AS joining_mean, avg(sleepers) AS sleepers_mean, avg(entities) AS entities_mean, avg(net_in) AS net_in_mean, avg(net_out) AS net_out_mean
    FROM corrosion.samples
    WHERE ts >= (SELECT min(minute) FROM due) AND ts < (SELECT max(minute) FROM due) + toIntervalMinute(1)
        AND (license_id, toStartOfMinute(ts)) IN (SELECT license_id, minute FROM due)
    GROUP BY license_id, server_id, minute
)
GROUP BY license_id, minute;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.license_hourly_totals_built
REFRESH EVERY 5 MINUTE OFFSET 40 SECOND APPEND TO corrosion.license_hourly_totals AS
WITH
    due AS
    (
        SELECT license_id, hour
        FROM
        (
            SELECT license_id, hour, sum(live.samples) OVER (ORDER BY hour DESC, license_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM
            (
                SELECT license_id, hour, sum(l.samples) AS samples
                FROM corrosion.license_hourly AS l
                WHERE hour < toStartOfHour(now())
                GROUP BY license_id, hour
            ) AS live
            LEFT ANTI JOIN
            (
                SELECT license_id, hour, argMax(t.samples, built_at) AS samples
                FROM corrosion.license_hourly_totals AS t
                GROUP BY license_id, hour
            ) AS built USING (license_id, hour, samples)
        )
        WHERE before < 100000000
    )
SELECT license_id, hour, sum(n) AS samples, sum(players_mean * bitCount(players_mask)) AS players_weighted, toUInt8(bitCount(groupBitOr(players_mask))) AS players_minutes, sum(max_players_mean * bitCount(max_players_mask)) AS max_players_weighted, toUInt8(bitCount(groupBitOr(max_players_mask))) AS max_players_minutes, sum(queued_mean * bitCount(queued_mask)) AS queued_weighted, toUInt8(bitCount(groupBitOr(queued_mask))) AS queued_minutes, sum(joining_mean * bitCount(joining_mask)) AS joining_weighted, toUInt8(bitCount(groupBitOr(joining_mask))) AS joining_minutes, sum(sleepers_mean * bitCount(sleepers_mask)) AS sleepers_weighted, toUInt8(bitCount(groupBitOr(sleepers_mask))) AS sleepers_minutes, sum(entities_mean * bitCount(entities_mask)) AS entities_weighted, toUInt8(bitCount(groupBitOr(entities_mask))) AS entities_minutes, sum(net_in_mean * bitCount(net_in_mask)) AS net_in_weighted, toUInt8(bitCount(groupBitOr(net_in_mask))) AS net_in_minutes, sum(net_out_mean * bitCount(net_out_mask)) AS net_out_weighted, toUInt8(bitCount(groupBitOr(net_out_mask))) AS net_out_minutes, now64(3, 'UTC') AS built_at
FROM
(
    SELECT h.license_id AS license_id, h.server_id AS server_id, h.hour AS hour, sum(h.samples) AS n, if(sum(h.players_count) = 0, 0, sum(h.players_sum) / sum(h.players_count)) AS players_mean, if(sum(h.players_count) = 0, 0, groupBitOr(h.minutes)) AS players_mask, if(sum(h.max_players_count) = 0, 0, sum(h.max_players_sum) / sum(h.max_players_count)) AS max_players_mean, if(sum(h.max_players_count) = 0, 0, groupBitOr(h.minutes)) AS max_players_mask, if(sum(h.queued_count) = 0, 0, sum(h.queued_sum) / sum(h.queued_count)) AS queued_mean, if(sum(h.queued_count) = 0, 0, groupBitOr(h.minutes)) AS queued_mask, if(sum(h.joining_count) = 0, 0, sum(h.joining_sum) / sum(h.joining_count)) AS joining_mean, if(sum(h.joining_count) = 0, 0, groupBitOr(h.minutes)) AS joining_mask, if(sum(h.sleepers_count) = 0, 0, sum(h.sleepers_sum) / sum(h.sleepers_count)) AS sleepers_mean, if(sum(h.sleepers_count) = 0, 0, groupBitOr(h.minutes)) AS sleepers_mask, if(sum(h.entities_count) = 0, 0, sum(h.entities_sum) / sum(h.entities_count)) AS entities_mean, if(sum(h.entities_count) = 0, 0, groupBitOr(h.minutes)) AS entities_mask, if(sum(h.net_in_count) = 0, 0, sum(h.net_in_sum) / sum(h.net_in_count)) AS net_in_mean, if(sum(h.net_in_count) = 0, 0, groupBitOr(h.minutes)) AS net_in_mask, if(sum(h.net_out_count) = 0, 0, sum(h.net_out_sum) / sum(h.net_out_count)) AS net_out_mean, if(sum(h.net_out_count) = 0, 0, groupBitOr(h.minutes)) AS net_out_mask
    FROM corrosion.samples_hourly AS h
    WHERE h.hour >= (SELECT min(hour) FROM due) AND h.hour <= (SELECT max(hour) FROM due)
        AND (h.license_id, h.hour) IN (SELECT license_id, hour FROM due)
    GROUP BY license_id, server_id, hour
)
GROUP BY license_id, hour;

-- What is stored already. Hours before the raw samples come from samples_hourly.
INSERT INTO corrosion.license_minutely WITH bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(ts)), 80), bitOr(bitShiftLeft(toUInt128(seq), 16), toUInt128(idx))) AS place
SELECT
    license_id, toStartOfMinute(ts) AS minute, count() AS samples,
    count(players) AS players_count, ifNull(sum(players), 0) AS players_sum,
    count(max_players) AS max_players_count, ifNull(sum(max_players), 0) AS max_players_sum,
    count(queued) AS queued_count, ifNull(sum(queued), 0) AS queued_sum,
    count(joining) AS joining_count, ifNull(sum(joining), 0) AS joining_sum,
    count(sleepers) AS sleepers_count, ifNull(sum(sleepers), 0) AS sleepers_sum,
    count(fps) AS fps_count, ifNull(sum(fps), 0) AS fps_sum, min(fps) AS fps_min, max(fps) AS fps_max,
    count(frame_ms) AS frame_ms_count, ifNull(sum(frame_ms), 0) AS frame_ms_sum, min(frame_ms) AS frame_ms_min, max(frame_ms) AS frame_ms_max,
    count(entities) AS entities_count, ifNull(sum(entities), 0) AS entities_sum, min(entities) AS entities_min, max(entities) AS entities_max,
    count(memory_mb) AS memory_mb_count, ifNull(sum(memory_mb), 0) AS memory_mb_sum, min(memory_mb) AS memory_mb_min, max(memory_mb) AS memory_mb_max,
    count(cpu_percent) AS cpu_percent_count, ifNull(sum(cpu_percent), 0) AS cpu_percent_sum, min(cpu_percent) AS cpu_percent_min, max(cpu_percent) AS cpu_percent_max,
    count(net_in) AS net_in_count, ifNull(sum(net_in), 0) AS net_in_sum,
    count(net_out) AS net_out_count, ifNull(sum(net_out), 0) AS net_out_sum,
    count(uptime_s) AS uptime_s_count, ifNull(sum(uptime_s), 0) AS uptime_s_sum, min(uptime_s) AS uptime_s_min, max(uptime_s) AS uptime_s_max,
    argMaxState(fps, place) AS fps_last, argMaxState(frame_ms, place) AS frame_ms_last, argMaxState(memory_mb, place) AS memory_mb_last, argMaxState(cpu_percent, place) AS cpu_percent_last, argMaxState(uptime_s, place) AS uptime_s_last,
    quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS fps_sketch,
    quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS frame_ms_sketch
FROM corrosion.samples
GROUP BY license_id, minute
SETTINGS max_bytes_before_external_group_by = 500000000, max_threads = 2;

INSERT INTO corrosion.license_hourly
SELECT
    license_id, h.hour AS hour, sum(h.samples) AS samples,
    sum(h.players_count) AS players_count, sum(h.players_sum) AS players_sum,
    sum(h.max_players_count) AS max_players_count, sum(h.max_players_sum) AS max_players_sum,
    sum(h.queued_count) AS queued_count, sum(h.queued_sum) AS queued_sum,
    sum(h.joining_count) AS joining_count, sum(h.joining_sum) AS joining_sum,
    sum(h.sleepers_count) AS sleepers_count, sum(h.sleepers_sum) AS sleepers_sum,
    sum(h.fps_count) AS fps_count, sum(h.fps_sum) AS fps_sum, min(h.fps_min) AS fps_min, max(h.fps_max) AS fps_max,
    sum(h.frame_ms_count) AS frame_ms_count, sum(h.frame_ms_sum) AS frame_ms_sum, min(h.frame_ms_min) AS frame_ms_min, max(h.frame_ms_max) AS frame_ms_max,
    sum(h.entities_count) AS entities_count, sum(h.entities_sum) AS entities_sum, min(h.entities_min) AS entities_min, max(h.entities_max) AS entities_max,
    sum(h.memory_mb_count) AS memory_mb_count, sum(h.memory_mb_sum) AS memory_mb_sum, min(h.memory_mb_min) AS memory_mb_min, max(h.memory_mb_max) AS memory_mb_max,
    sum(h.cpu_percent_count) AS cpu_percent_count, sum(h.cpu_percent_sum) AS cpu_percent_sum, min(h.cpu_percent_min) AS cpu_percent_min, max(h.cpu_percent_max) AS cpu_percent_max,
    sum(h.net_in_count) AS net_in_count, sum(h.net_in_sum) AS net_in_sum,
    sum(h.net_out_count) AS net_out_count, sum(h.net_out_sum) AS net_out_sum,
    sum(h.uptime_s_count) AS uptime_s_count, sum(h.uptime_s_sum) AS uptime_s_sum, min(h.uptime_s_min) AS uptime_s_min, max(h.uptime_s_max) AS uptime_s_max,
    argMaxMergeState(h.fps_last) AS fps_last, argMaxMergeState(h.frame_ms_last) AS frame_ms_last, argMaxMergeState(h.memory_mb_last) AS memory_mb_last, argMaxMergeState(h.cpu_percent_last) AS cpu_percent_last, argMaxMergeState(h.uptime_s_last) AS uptime_s_last,
    quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(h.fps_sketch) AS fps_sketch,
    quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(h.frame_ms_sketch) AS frame_ms_sketch
FROM corrosion.samples_hourly AS h
WHERE (h.license_id, h.hour) NOT IN (SELECT license_id, hour FROM corrosion.license_hourly)
GROUP BY license_id, hour
SETTINGS max_bytes_before_external_group_by = 500000000;

-- +goose Down
DROP VIEW IF EXISTS corrosion.license_hourly_totals_built;
DROP VIEW IF EXISTS corrosion.license_minutely_totals_rest;
DROP VIEW IF EXISTS corrosion.license_minutely_totals_fresh;
DROP VIEW IF EXISTS corrosion.license_minutely_mv;
DROP VIEW IF EXISTS corrosion.license_hourly_mv;
DROP TABLE IF EXISTS corrosion.license_hourly_totals;
DROP TABLE IF EXISTS corrosion.license_minutely_totals;
DROP TABLE IF EXISTS corrosion.license_hourly;
DROP TABLE IF EXISTS corrosion.license_minutely;
