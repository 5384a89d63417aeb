-- Memory leaks
--
-- Which servers' memory has grown steadily since their last restart, and when will they hit a limit?
--
-- Topic: Performance
-- Reads: samples
-- Parameters:
--   license   UUID              the license whose servers are asked about
--   hours     UInt32   = 72     how far back to look, in hours before until; raw samples are kept 7 days
--   limit_mb  Float64  = 16384  the memory at which a server is in trouble, MiB
--   min_h     Float64  = 2      servers that have run for less than this, in hours, are left out
--   until     String   = now    the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id       LowCardinality(String)  -      the server
--   running_hours   Float64                 h      from its last restart (in the range) to its last sample
--   memory_mb       Nullable(Float64)       MiB    memory in the last sample
--   mb_per_hour     Nullable(Float64)       MiB/h  slope of the straight line through the samples
--   steadiness      Nullable(Float64)       -      r² of that line: near 1 a steady leak, near 0 up and down
--   hours_to_limit  Nullable(Float64)       h      when the line reaches limit_mb; NULL where it falls
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    round(dateDiff('second', min(ts), max(ts)) / 3600, 1) AS running_hours,
    round(argMax(memory_mb, ts)) AS memory_mb,
    round((simpleLinearRegression(toUnixTimestamp(ts) - toUnixTimestamp(started), s.memory_mb) AS line).1 * 3600, 2) AS mb_per_hour,
    round(nullIf(pow(corr(toUnixTimestamp(ts) - toUnixTimestamp(started), s.memory_mb), 2), nan), 3) AS steadiness,
    if(mb_per_hour > 0, round(({limit_mb:Float64} - memory_mb) / mb_per_hour, 1), NULL) AS hours_to_limit
FROM
(
    SELECT
        server_id, ts, memory_mb,
        -- the newest start of the process; without uptime_s the whole range counts as one run
        max(ifNull(toDateTime(toInt64(toUnixTimestamp(ts)) - uptime_s, 'UTC'), toDateTime(0, 'UTC'))) OVER (PARTITION BY server_id) AS started
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until AND memory_mb IS NOT NULL
) AS s
WHERE ts >= started
GROUP BY server_id
HAVING running_hours >= {min_h:Float64}
ORDER BY mb_per_hour DESC, server_id
