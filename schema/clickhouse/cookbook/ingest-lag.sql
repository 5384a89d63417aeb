-- Ingest lag
--
-- How long after measuring do samples reach us, and whose clock is wrong?
--
-- Topic: Data and storage
-- Reads: samples
-- Parameters:
--   hours  UInt32  = 1    how far back to look, in hours before until; raw samples are kept 7 days
--   until  String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   license_id    UUID     -        the license
--   samples       UInt64   samples  how many samples
--   lag_p50       Float64  s        received_at less ts: the middle one
--   lag_p99       Float64  s        99 % came faster
--   lag_max       Float64  s        the slowest; backfilled history counts, too
--   late_percent  Float64  %        came more than a minute after they were measured
--   ahead         UInt64   samples  measured after they were received: the server's clock is fast
--   worst_server  String   -        the server with the slowest sample
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until,
    (toUnixTimestamp64Milli(received_at) - toUnixTimestamp64Milli(ts)) / 1000 AS lag
SELECT
    license_id,
    count() AS samples,
    round(quantileExact(0.5)(lag), 3) AS lag_p50,
    round(quantileExact(0.99)(lag), 3) AS lag_p99,
    round(max(lag), 3) AS lag_max,
    round(100 * countIf(lag > 60) / count(), 2) AS late_percent,
    countIf(lag < 0) AS ahead,
    argMax(server_id, (lag, server_id)) AS worst_server
FROM corrosion.samples
WHERE ts >= until - toIntervalHour({hours:UInt32}) AND ts < until
GROUP BY license_id
ORDER BY lag_p99 DESC, license_id
