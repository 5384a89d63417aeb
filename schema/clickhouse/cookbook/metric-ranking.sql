-- Ranking of metrics
--
-- Which plugin (or whatever shares a prefix) costs most?
--
-- Topic: Custom metrics
-- Reads: metrics_hourly
-- Parameters:
--   license  UUID                      the license whose servers are asked about
--   prefix   String  = oxide.hook_ms.  only metrics whose names begin so; they should share a unit
--   hours    UInt32  = 24              how many whole hours back from until
--   until    String  = now             the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit    UInt32  = 20              how many metrics
-- Answer:
--   metric     LowCardinality(String)  -  the name in metrics
--   avg        Float64                 *  mean over all samples of all servers, in the publisher's own unit
--   share      Nullable(Float64)       %  of the sum of all these means
--   max        Float64                 *  greatest value
--   worst      String                  -  the server with the highest mean
--   worst_avg  Float64                 *  its mean
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    m.metric AS metric,
    round(sum(m.total) / sum(m.samples), 3) AS avg,
    round(100 * avg / nullIf(sum(avg) OVER (), 0), 1) AS share,
    max(toFloat64(m.greatest)) AS max,
    argMax(m.server_id, (m.total / m.samples, m.server_id)) AS worst,
    round(max(m.total / m.samples), 3) AS worst_avg
FROM
(
    SELECT metric, server_id, sum(sum) AS total, sum(count) AS samples, max(max) AS greatest
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND startsWith(metric, {prefix:String})
        AND hour >= toStartOfHour(until - toIntervalHour({hours:UInt32})) AND hour < until
    GROUP BY metric, server_id
) AS m
GROUP BY metric
ORDER BY avg DESC, metric
LIMIT {limit:UInt32}
