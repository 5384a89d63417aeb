-- Idle capacity
--
-- Which servers pay for slots that nobody has used?
--
-- Topic: Players
-- Reads: samples_hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   days     UInt32  = 14   how many days back from until
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id     LowCardinality(String)  -        the server
--   slots         Nullable(UInt32)        persons  most max_players
--   peak_players  Nullable(UInt32)        persons  most players in one sample
--   idle_slots    Nullable(Int64)         persons  slots that were never taken
--   avg_players   Nullable(Float64)       persons  mean over all samples
--   used_percent  Nullable(Float64)       %        the mean in percent of the slots
--   empty_hours   UInt64                  h        hours in which nobody was there
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    max(h.slots) AS slots,
    max(h.peak) AS peak_players,
    toInt64(slots) - peak_players AS idle_slots,
    round(sum(h.players) / nullIf(sum(h.measured), 0), 1) AS avg_players,
    round(100 * avg_players / nullIf(slots, 0), 1) AS used_percent,
    countIf(h.peak = 0) AS empty_hours
FROM
(
    SELECT server_id, max(max_players_max) AS slots, max(players_max) AS peak, sum(players_sum) AS players, sum(players_count) AS measured
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= until - toIntervalDay({days:UInt32}) AND hour < until
    GROUP BY server_id, hour
) AS h
GROUP BY server_id
ORDER BY idle_slots DESC NULLS LAST, server_id
