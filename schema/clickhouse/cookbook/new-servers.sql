-- New and lost servers
--
-- How many servers join the network each week, and how many are never heard of again?
--
-- Topic: Players
-- Reads: samples_hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   weeks    UInt32  = 12   how many weeks, the newest first; weeks in which none came or went are left out
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   week     Date    -        the week's Monday, UTC
--   new      UInt64  servers  servers first heard of in that week (of the hours that are kept)
--   lost     UInt64  servers  servers last heard of in that week and silent for a day and more at until
--   servers  Int64   servers  new less lost, summed up: how many there were at the week's end
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    week,
    sum(m.came) AS new,
    sum(m.went) AS lost,
    sum(toInt64(new) - toInt64(lost)) OVER (ORDER BY week) AS servers
FROM
(
    SELECT arrayJoin([(toStartOfWeek(first_hour, 1), 1, 0), (toStartOfWeek(last_hour, 1), 0, last_hour < until - toIntervalDay(1))]) AS mark,
        mark.1 AS week, toUInt64(mark.2) AS came, toUInt64(mark.3) AS went
    FROM
    (
        SELECT min(hour) AS first_hour, max(hour) AS last_hour
        FROM corrosion.samples_hourly
        WHERE license_id = {license:UUID} AND hour < until
        GROUP BY server_id
    )
) AS m
GROUP BY week
ORDER BY week DESC
LIMIT {weeks:UInt32}
