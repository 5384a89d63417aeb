-- Busiest hours of the week
--
-- On which weekday and at which hour are most players online, and when is the best time for a restart?
--
-- Topic: Players
-- Reads: network_hourly
-- Parameters:
--   license  UUID           the license whose network is asked about
--   days     UInt32  = 28   how many days back from until
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   tz       String  = UTC  the time zone of weekday and hour, an IANA name like Europe/Berlin
--   limit    UInt32  = 168  how many hours of the week; the busiest come first, the quietest last
-- Answer:
--   weekday       UInt8              -        1 = Monday to 7 = Sunday, in tz
--   hour_of_day   UInt8              h        0 to 23, in tz
--   avg_players   Nullable(Float64)  persons  mean of the network's hourly averages
--   peak_players  Nullable(Float64)  persons  highest one-minute total
--   weeks         UInt64             weeks    how many such hours are known
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    toDayOfWeek(hour, 0, {tz:String}) AS weekday,
    toHour(hour, {tz:String}) AS hour_of_day,
    round(avg(n.avg_players), 1) AS avg_players,
    round(max(n.peak_players)) AS peak_players,
    count() AS weeks
FROM corrosion.network_hourly AS n
WHERE license_id = {license:UUID} AND hour >= until - toIntervalDay({days:UInt32}) AND hour < until
GROUP BY weekday, hour_of_day
ORDER BY avg_players DESC, weekday, hour_of_day
LIMIT {limit:UInt32}
