-- Frame-time outliers
--
-- Which servers have a worse 99th percentile of frame time than their like?
--
-- Topic: Performance
-- Reads: samples_hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 24   how many whole hours back from until
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit    UInt32  = 20   how many servers, the worst first
-- Answer:
--   server_id     LowCardinality(String)  -   the server
--   frame_p99     Float64                 ms  99 % of its samples had shorter frames; within 0.4 % of the exact value
--   network_p99   Float64                 ms  the middle one of all servers' p99
--   times_median  Nullable(Float64)       -   frame_p99 by network_p99
--   score         Nullable(Float64)       -   distance from network_p99 in deviations of the network (robust z-score); above 3.5 is an outlier; NULL where all are alike
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    round(p99, 2) AS frame_p99,
    round(middle, 2) AS network_p99,
    round(p99 / nullIf(middle, 0), 2) AS times_median,
    -- where most servers are alike to the digit, the mean deviation stands in for the median one
    round((p99 - middle) / nullIf(if(median_off > 0, median_off / 0.6745, mean_off * 1.2533), 0), 1) AS score
FROM
(
    SELECT server_id, p99, middle, quantileExact(0.5)(abs(p99 - middle)) OVER () AS median_off, avg(abs(p99 - middle)) OVER () AS mean_off
    FROM
    (
        SELECT server_id, p99, quantileExact(0.5)(p99) OVER () AS middle
        FROM
        (
            SELECT server_id, quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch)[4] AS p99
            FROM corrosion.samples_hourly
            WHERE license_id = {license:UUID} AND hour >= toStartOfHour(until - toIntervalHour({hours:UInt32})) AND hour < until
            GROUP BY server_id
            HAVING sum(frame_ms_count) > 0
        )
    )
)
ORDER BY frame_p99 DESC, server_id
LIMIT {limit:UInt32}
