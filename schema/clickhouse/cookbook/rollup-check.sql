-- Rollups against raw
--
-- Do the hourly rollups say the same as the samples? An empty answer is the right one.
--
-- Topic: Data and storage
-- Reads: samples, samples_hourly
-- Parameters:
--   hours  UInt32  = 24   how many whole hours back from the hour of until; raw samples are kept 7 days
--   until  String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit  UInt32  = 100  how many hours that differ
-- Answer:
--   license_id    UUID                    -         the license
--   server_id     LowCardinality(String)  -         the server
--   hour          DateTime('UTC')         UTC       the hour
--   samples_raw   UInt64                  samples   rows in samples
--   samples_hour  UInt64                  samples   what the rollup counts
--   players_raw   UInt64                  persons   sum of players over the samples
--   players_hour  UInt64                  persons   what the rollup sums
--   fps_min_raw   Nullable(Float64)       frames/s  least fps of the samples
--   fps_min_hour  Nullable(Float64)       frames/s  what the rollup holds
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    license_id, server_id, hour,
    sum(u.raw) AS samples_raw, sum(u.rolled) AS samples_hour,
    sum(u.raw_players) AS players_raw, sum(u.rolled_players) AS players_hour,
    min(u.raw_fps) AS fps_min_raw, min(u.rolled_fps) AS fps_min_hour
FROM
(
    SELECT license_id, server_id, toStartOfHour(ts) AS hour, count() AS raw, toUInt64(0) AS rolled,
        ifNull(sum(players), 0) AS raw_players, toUInt64(0) AS rolled_players, min(fps) AS raw_fps, CAST(NULL, 'Nullable(Float64)') AS rolled_fps
    FROM corrosion.samples
    WHERE ts >= toStartOfHour(until) - toIntervalHour({hours:UInt32}) AND ts < toStartOfHour(until)
    GROUP BY license_id, server_id, hour
    UNION ALL
    SELECT license_id, server_id, hour, 0, sum(samples), 0, sum(players_sum), NULL, min(fps_min)
    FROM corrosion.samples_hourly
    WHERE hour >= toStartOfHour(until) - toIntervalHour({hours:UInt32}) AND hour < toStartOfHour(until)
    GROUP BY license_id, server_id, hour
) AS u
GROUP BY license_id, server_id, hour
HAVING samples_raw != samples_hour OR players_raw != players_hour OR NOT (fps_min_raw <=> fps_min_hour)
ORDER BY hour DESC, license_id, server_id
LIMIT {limit:UInt32}
