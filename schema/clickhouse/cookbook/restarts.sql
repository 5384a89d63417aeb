-- Restarts
--
-- Which servers restart most, when was the last time, and how long were they away?
--
-- Topic: Availability
-- Reads: samples
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 168  how far back to look, in hours before until; raw samples are kept 7 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id       LowCardinality(String)  -    the server
--   restarts        UInt64                  -    times that boot changed or uptime_s fell from one sample to the next
--   last_restart    DateTime64(3, 'UTC')    UTC  first sample after the last of them
--   longest_away_s  Int64                   s    longest pause between the samples around a restart
--   hours_between   Nullable(Float64)       h    mean time between restarts; NULL below two
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    countIf(restarted) AS restarts,
    maxIf(ts, restarted) AS last_restart,
    maxIf(dateDiff('second', ts_before, ts), restarted) AS longest_away_s,
    if(restarts < 2, NULL, round(dateDiff('second', minIf(ts, restarted), last_restart) / 3600 / (restarts - 1), 1)) AS hours_between
FROM
(
    SELECT
        server_id, ts,
        lagInFrame(ts) OVER servers AS ts_before,
        ifNull(toString(boot) != lagInFrame(toString(boot)) OVER servers, 0) OR ifNull(uptime_s < lagInFrame(uptime_s) OVER servers, 0) AS restarted
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until
    WINDOW servers AS (PARTITION BY server_id ORDER BY ts, seq, idx ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
GROUP BY server_id
HAVING restarts > 0
ORDER BY restarts DESC, server_id
