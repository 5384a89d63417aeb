-- Before and after a deploy
--
-- Did a deploy make servers slower? Percentiles of the hours before and after it, server by server.
--
-- Topic: Performance
-- Reads: samples, events
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   window   UInt32  = 6    hours that are compared on each side of a deploy
--   hours    UInt32  = 168  how far back to look, in hours before until; raw samples are kept 7 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   deployed_at       DateTime64(3, 'UTC')    UTC       when it was
--   title             String                  -         what was deployed
--   server_id         LowCardinality(String)  -         the server
--   fps_p05_before    Nullable(Float64)       frames/s  95 % of the samples before it were faster
--   fps_p05_after     Nullable(Float64)       frames/s  the same after it
--   frame_p95_before  Nullable(Float64)       ms        95 % of the frames before it were shorter
--   frame_p95_after   Nullable(Float64)       ms        the same after it
--   frame_p95_change  Nullable(Float64)       %         change of the latter; above 0 is slower
--   players_before    Nullable(Float64)       persons   mean players before it, for a fair comparison
--   players_after     Nullable(Float64)       persons   mean players after it
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until,
    (
        SELECT groupArray((ts, toString(server_id), title))
        FROM corrosion.events
        WHERE license_id = {license:UUID} AND kind = 'deploy' AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until
    ) AS deploys
SELECT
    d.1 AS deployed_at,
    d.3 AS title,
    server_id,
    round(quantileExactIf(0.05)(fps, ts < deployed_at), 1) AS fps_p05_before,
    round(quantileExactIf(0.05)(fps, ts >= deployed_at), 1) AS fps_p05_after,
    round(quantileExactIf(0.95)(frame_ms, ts < deployed_at), 2) AS frame_p95_before,
    round(quantileExactIf(0.95)(frame_ms, ts >= deployed_at), 2) AS frame_p95_after,
    round(100 * (frame_p95_after / nullIf(frame_p95_before, 0) - 1), 1) AS frame_p95_change,
    round(avgIf(players, ts < deployed_at), 1) AS players_before,
    round(avgIf(players, ts >= deployed_at), 1) AS players_after
FROM corrosion.samples
ARRAY JOIN arrayFilter(x -> (x.2 = '' OR x.2 = server_id)
    AND ts >= x.1 - toIntervalHour({window:UInt32}) AND ts < x.1 + toIntervalHour({window:UInt32}), deploys) AS d
WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32} + {window:UInt32}) AND ts < until
GROUP BY deployed_at, title, server_id
ORDER BY deployed_at DESC, frame_p95_change DESC NULLS LAST, server_id
