-- Network traffic
--
-- How much does each server send and receive, and what was its busiest hour?
--
-- Topic: Performance
-- Reads: samples_hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 24   how many whole hours back from until; hours are kept 90 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id  LowCardinality(String)  -       the server
--   gib_in     Nullable(Float64)       GiB     received: the hours' mean rates times their minutes with a sample
--   gib_out    Nullable(Float64)       GiB     sent
--   mbit_out   Nullable(Float64)       Mbit/s  mean of what was sent
--   mbit_peak  Nullable(Float64)       Mbit/s  highest rate sent in one sample
--   busiest    DateTime('UTC')         UTC     the hour that sent most
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    round(sum(rate_in * seconds) / pow(1024, 3), 2) AS gib_in,
    round(sum(rate_out * seconds) / pow(1024, 3), 2) AS gib_out,
    round(sum(rate_out * seconds) * 8 / sum(seconds) / 1e6, 2) AS mbit_out,
    round(max(out_max) * 8 / 1e6, 2) AS mbit_peak,
    argMax(hour, (rate_out * seconds, -toUnixTimestamp(hour))) AS busiest
FROM
(
    SELECT server_id, hour, bitCount(groupBitOr(minutes)) * 60 AS seconds, max(net_out_max) AS out_max,
        sum(net_in_sum) / nullIf(sum(net_in_count), 0) AS rate_in, sum(net_out_sum) / nullIf(sum(net_out_count), 0) AS rate_out
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toStartOfHour(until - toIntervalHour({hours:UInt32})) AND hour < until
    GROUP BY server_id, hour
)
GROUP BY server_id
ORDER BY gib_out DESC NULLS LAST, server_id
