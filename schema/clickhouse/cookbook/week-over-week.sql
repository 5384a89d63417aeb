-- Week over week
--
-- Which servers grew and which shrank against the week before, and did they get slower?
--
-- Topic: Players
-- Reads: hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   until    String  = now  the end of the second week: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id       LowCardinality(String)  -         the server
--   avg_players     Nullable(Float64)       persons   mean of the hours of the last 7 days
--   players_before  Nullable(Float64)       persons   the same for the 7 days before
--   change          Nullable(Float64)       persons   the difference
--   change_percent  Nullable(Float64)       %         the difference in percent of the week before
--   fps_avg         Nullable(Float64)       frames/s  mean of the last 7 days
--   fps_before      Nullable(Float64)       frames/s  mean of the 7 days before
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until,
    toStartOfHour(until - toIntervalDay(7)) AS middle
SELECT
    server_id,
    round(avgIf(players_avg, hour >= middle), 1) AS avg_players,
    round(avgIf(players_avg, hour < middle), 1) AS players_before,
    round(avg_players - players_before, 1) AS change,
    round(100 * change / nullIf(players_before, 0), 1) AS change_percent,
    round(avgIf(fps_avg, hour >= middle), 1) AS fps_avg,
    round(avgIf(h.fps_avg, hour < middle), 1) AS fps_before
FROM corrosion.hourly AS h
WHERE license_id = {license:UUID} AND hour >= middle - toIntervalDay(7) AND hour < until
GROUP BY server_id
ORDER BY change DESC NULLS LAST, server_id
