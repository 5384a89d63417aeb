-- Entities against frame rate
--
-- On which servers does the frame rate fall as entities grow, and by how much?
--
-- Topic: Performance
-- Reads: samples
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 72   how far back to look, in hours before until; raw samples are kept 7 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id       LowCardinality(String)  -         the server
--   correlation     Nullable(Float64)       -         Pearson's r of entities and fps: near -1 entities eat frames
--   fps_per_10k     Nullable(Float64)       frames/s  slope: what 10,000 more entities cost
--   entities_first  Nullable(UInt32)        entities  in the first sample
--   entities_last   Nullable(UInt32)        entities  in the last sample
--   growth_per_day  Nullable(Float64)       entities  from first to last, by the day
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    round(nullIf(corr(toFloat64(entities), fps), nan), 3) AS correlation,
    round(nullIf(simpleLinearRegression(toFloat64(entities), fps).1, nan) * 10000, 2) AS fps_per_10k,
    argMin(entities, ts) AS entities_first,
    argMax(entities, ts) AS entities_last,
    round((toInt64(entities_last) - entities_first) / nullIf(dateDiff('second', min(ts), max(ts)), 0) * 86400) AS growth_per_day
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until AND entities IS NOT NULL AND fps IS NOT NULL
GROUP BY server_id
HAVING count() >= 30
ORDER BY correlation NULLS LAST, server_id
