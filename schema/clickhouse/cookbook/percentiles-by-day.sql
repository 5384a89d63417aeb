-- Percentiles by day
--
-- How fast were servers on each day? Percentiles of whole days, merged from the hours' sketches and not averaged.
--
-- Topic: Performance
-- Reads: samples_hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   days     UInt32  = 14   how many days back from until; hours are kept 90 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   tz       String  = UTC  the time zone that days are cut in, an IANA name like Europe/Berlin
-- Answer:
--   day        Date               -         the day in tz
--   samples    UInt64             samples   samples with a frame rate
--   fps_p05    Nullable(Float64)  frames/s  95 % of the samples were faster; all within 0.4 % of the exact value
--   fps_p50    Nullable(Float64)  frames/s  the middle one
--   frame_p95  Nullable(Float64)  ms        95 % of the samples had shorter frames
--   frame_p99  Nullable(Float64)  ms        99 % of the samples had shorter frames
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    day,
    m.samples AS samples,
    if(samples = 0, NULL, round(m.fps[1], 1)) AS fps_p05,
    if(samples = 0, NULL, round(m.fps[2], 1)) AS fps_p50,
    if(m.frames = 0, NULL, round(m.frame_ms[3], 2)) AS frame_p95,
    if(m.frames = 0, NULL, round(m.frame_ms[4], 2)) AS frame_p99
FROM
(
    SELECT
        toDate(hour, {tz:String}) AS day, sum(fps_count) AS samples, sum(frame_ms_count) AS frames,
        quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS fps,
        quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS frame_ms
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= until - toIntervalDay({days:UInt32}) AND hour < until
    GROUP BY day
) AS m
ORDER BY day DESC
