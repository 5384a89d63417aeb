-- Cost per player
--
-- What does a player cost in CPU, memory and traffic on each server?
--
-- Topic: Performance
-- Reads: hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 168  how many whole hours back from until
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id     LowCardinality(String)  -        the server
--   avg_players   Nullable(Float64)       persons  mean of the hours in which somebody was there
--   cpu_percent   Nullable(Float64)       %        of one core, for each player
--   memory_mb     Nullable(Float64)       MiB      for each player
--   net_out_kbit  Nullable(Float64)       kbit/s   sent, for each player
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    round(avg(players_avg), 1) AS avg_players,
    round(sum(cpu_percent_avg) / nullIf(sumIf(players_avg, cpu_percent_avg IS NOT NULL), 0), 2) AS cpu_percent,
    round(sum(memory_mb_avg) / nullIf(sumIf(players_avg, memory_mb_avg IS NOT NULL), 0), 1) AS memory_mb,
    round(sum(net_out_avg) * 8 / 1000 / nullIf(sumIf(players_avg, net_out_avg IS NOT NULL), 0), 1) AS net_out_kbit
FROM corrosion.hourly
WHERE license_id = {license:UUID} AND hour >= toStartOfHour(until - toIntervalHour({hours:UInt32})) AND hour < until AND players_avg > 0
GROUP BY server_id
ORDER BY cpu_percent DESC NULLS LAST, server_id
