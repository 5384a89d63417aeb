-- Peaks by day
--
-- How high did the whole network's population rise each day, and in which minute?
--
-- Topic: Players
-- Reads: network_hourly
-- Parameters:
--   license  UUID           the license whose network is asked about
--   days     UInt32  = 14   how many days back from until
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   tz       String  = UTC  the time zone that days are cut in, an IANA name like Europe/Berlin
-- Answer:
--   day           Date                       -        the day in tz
--   peak_players  Nullable(Float64)          persons  highest one-minute total over all servers
--   peak_at       Nullable(DateTime('UTC'))  UTC      the minute of the peak
--   avg_players   Nullable(Float64)          persons  mean of the hours' averages
--   servers       UInt64                     servers  most servers that reported in one hour
--   hours         UInt64                     h        hours of the day that are known
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    toDate(hour, {tz:String}) AS day,
    round(max(n.peak_players)) AS peak_players,
    argMax(n.peak_at, (n.peak_players, -toUnixTimestamp(n.peak_at))) AS peak_at,
    round(avg(n.avg_players), 1) AS avg_players,
    toUInt64(max(n.servers_reporting)) AS servers,
    count() AS hours
FROM corrosion.network_hourly AS n
WHERE license_id = {license:UUID} AND hour >= until - toIntervalDay({days:UInt32}) AND hour < until
GROUP BY day
ORDER BY day DESC
