-- Queue pressure
--
-- Where do players wait at the door, for how long a day, and how many?
--
-- Topic: Players
-- Reads: samples
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 24   how far back to look, in hours before until; raw samples are kept 7 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id       LowCardinality(String)  -        the server
--   queued_minutes  UInt64                  min      minutes in which somebody was queued
--   full_minutes    UInt64                  min      minutes in which players reached max_players
--   queued_max      Nullable(UInt32)        persons  longest queue
--   queued_avg      Nullable(Float64)       persons  mean queue while there was one
--   longest_at      DateTime64(3, 'UTC')    UTC      when the queue was longest, the first time
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    uniqExactIf(toStartOfMinute(ts), queued > 0) AS queued_minutes,
    uniqExactIf(toStartOfMinute(ts), players >= max_players AND max_players > 0) AS full_minutes,
    max(queued) AS queued_max,
    round(avgIf(queued, queued > 0), 1) AS queued_avg,
    argMax(ts, (queued, -toUnixTimestamp64Milli(ts))) AS longest_at
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until AND queued IS NOT NULL
GROUP BY server_id
HAVING queued_minutes > 0
ORDER BY queued_minutes DESC, server_id
