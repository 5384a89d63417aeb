-- Custom metrics and their change
--
-- Which further measurements arrive, from how many servers, and which changed most?
--
-- Topic: Custom metrics
-- Reads: metrics_hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 24   how many whole hours back from until; they are compared with as many before
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit    UInt32  = 50   how many metrics, the greatest change first
-- Answer:
--   metric          LowCardinality(String)  -        the name in metrics
--   servers         UInt64                  servers  servers that sent it
--   avg             Nullable(Float64)       *        mean over all samples, in the publisher's own unit
--   before          Nullable(Float64)       *        mean over the hours before
--   change_percent  Nullable(Float64)       %        the difference in percent of before
--   min             Nullable(Float64)       *        least value
--   max             Nullable(Float64)       *        greatest value
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until,
    toStartOfHour(until - toIntervalHour({hours:UInt32})) AS middle
SELECT
    metric,
    uniqExactIf(server_id, hour >= middle) AS servers,
    round(sumIf(m.sum, hour >= middle) / nullIf(sumIf(m.count, hour >= middle), 0), 3) AS avg,
    round(sumIf(m.sum, hour < middle) / nullIf(sumIf(m.count, hour < middle), 0), 3) AS before,
    round(100 * (avg - before) / nullIf(abs(before), 0), 1) AS change_percent,
    minOrNullIf(toFloat64(m.min), hour >= middle) AS min,
    maxOrNullIf(toFloat64(m.max), hour >= middle) AS max
FROM corrosion.metrics_hourly AS m
WHERE license_id = {license:UUID} AND hour >= middle - toIntervalHour({hours:UInt32}) AND hour < until
GROUP BY metric
ORDER BY abs(change_percent) DESC NULLS LAST, metric
LIMIT {limit:UInt32}
