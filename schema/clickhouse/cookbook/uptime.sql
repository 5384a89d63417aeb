-- Uptime per server
--
-- In how many of its minutes was each server heard of?
--
-- Topic: Availability
-- Reads: samples_hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   days     UInt32  = 7    how many days back from until
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id       LowCardinality(String)  -    the server
--   minutes_seen    UInt64                  min  minutes with a sample
--   minutes_due     Int64                   min  minutes from its first one in the range to until
--   missed_minutes  Int64                   min  minutes without a sample
--   uptime_percent  Float64                 %    minutes_seen of minutes_due; too low for servers that send less than once a minute
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    sum(bitCount(h.seen)) AS minutes_seen,
    dateDiff('minute', min(hour + toIntervalMinute(bitPositionsToArray(h.seen)[1])), until) AS minutes_due,
    minutes_due - toInt64(minutes_seen) AS missed_minutes,
    round(100 * least(minutes_seen / minutes_due, 1), 2) AS uptime_percent
FROM
(
    SELECT server_id, hour, groupBitOr(minutes) AS seen
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toStartOfHour(until - toIntervalDay({days:UInt32})) AND hour < until
    GROUP BY server_id, hour
) AS h
GROUP BY server_id
ORDER BY uptime_percent, server_id
