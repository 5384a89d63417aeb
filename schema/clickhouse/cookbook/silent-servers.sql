-- Servers gone silent
--
-- Which servers were there and send nothing any more?
--
-- Topic: Availability
-- Reads: samples
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   minutes  UInt32  = 5    silent means: no sample for this many minutes before until
--   hours    UInt32  = 48   servers not heard of for longer than this are left out; raw samples are kept 7 days
--   until    String  = now  the moment to judge at: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id       LowCardinality(String)  -         the server
--   last_seen       DateTime64(3, 'UTC')    UTC       its last sample
--   silent_minutes  Int64                   min       from then to until
--   last_players    Nullable(UInt32)        persons   players in that sample
--   last_fps        Nullable(Float64)       frames/s  server frames per second in that sample
--   last_version    String                  -         its build; empty where it was not sent
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    ts AS last_seen,
    dateDiff('minute', last_seen, until) AS silent_minutes,
    players AS last_players,
    round(fps, 1) AS last_fps,
    CAST(ifNull(version, ''), 'String') AS last_version
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND (server_id, ts) IN
(
    SELECT server_id, max(ts) AS last_ts
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until
    GROUP BY server_id
    HAVING last_ts < until - toIntervalMinute({minutes:UInt32})
)
ORDER BY last_seen DESC, server_id, seq DESC, idx DESC
LIMIT 1 BY server_id
