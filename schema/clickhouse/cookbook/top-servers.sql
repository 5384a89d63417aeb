-- Top servers by peak
--
-- Which servers had the most players at once, when was that, and how full were they?
--
-- Topic: Players
-- Reads: samples
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 24   how far back to look, in hours before until; raw samples are kept 7 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit    UInt32  = 10   how many servers
-- Answer:
--   server_id     LowCardinality(String)  -        the server
--   peak_players  Nullable(UInt32)        persons  most players in one sample
--   peak_at       DateTime64(3, 'UTC')    UTC      when that was, the first time
--   avg_players   Nullable(Float64)       persons  mean over all samples
--   slots         Nullable(UInt32)        persons  max_players of the newest sample that has it
--   peak_percent  Nullable(Float64)       %        the peak in percent of the slots
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    max(players) AS peak_players,
    argMax(ts, (players, -toUnixTimestamp64Milli(ts))) AS peak_at,
    round(avg(players), 1) AS avg_players,
    argMax(max_players, ts) AS slots,
    round(100 * peak_players / nullIf(slots, 0), 1) AS peak_percent
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until AND players IS NOT NULL
GROUP BY server_id
ORDER BY peak_players DESC, server_id
LIMIT {limit:UInt32}
