-- Gap finder
--
-- Where are samples missing, and was it a restart or silence?
--
-- Topic: Availability
-- Reads: samples
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   gap_s    UInt32  = 300  a gap is a pause longer than this, in seconds
--   hours    UInt32  = 168  how far back to look, in hours before until; raw samples are kept 7 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit    UInt32  = 100  how many gaps, the longest first
-- Answer:
--   server_id  LowCardinality(String)  -    the server
--   began      DateTime64(3, 'UTC')    UTC  last sample before the gap
--   ended      DateTime64(3, 'UTC')    UTC  first sample after it
--   gap_s      Int64                   s    the pause
--   cause      String                  -    restart where the process was started anew meanwhile, else silence: it ran on unheard
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    ts_before AS began,
    ts AS ended,
    dateDiff('second', began, ended) AS gap_s,
    if(restarted, 'restart', 'silence') AS cause
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
WHERE toUnixTimestamp64Milli(ts_before) > 0 AND dateDiff('second', ts_before, ts) > {gap_s:UInt32}
ORDER BY gap_s DESC, server_id, began
LIMIT {limit:UInt32}
