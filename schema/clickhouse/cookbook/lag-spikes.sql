-- Lag spikes
--
-- When did which server fall below a frame rate, for how long, and how many players felt it?
--
-- Topic: Performance
-- Reads: samples
-- Parameters:
--   license  UUID            the license whose servers are asked about
--   below    Float64  = 20   slow means: fewer server frames per second than this
--   apart_s  UInt32   = 60   slow samples no further apart than this, in seconds, are one spike
--   hours    UInt32   = 24   how far back to look, in hours before until; raw samples are kept 7 days
--   until    String   = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit    UInt32   = 50   how many spikes, the longest first
-- Answer:
--   server_id    LowCardinality(String)  -         the server
--   began        DateTime64(3, 'UTC')    UTC       first slow sample
--   ended        DateTime64(3, 'UTC')    UTC       last slow sample
--   seconds      Int64                   s         from began to ended; 0 for a single sample
--   samples      UInt64                  samples   slow samples
--   fps_min      Nullable(Float64)       frames/s  the slowest
--   players_max  Nullable(UInt32)        persons   most players meanwhile
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    min(ts) AS began,
    max(ts) AS ended,
    dateDiff('second', began, ended) AS seconds,
    count() AS samples,
    round(min(fps), 1) AS fps_min,
    max(players) AS players_max
FROM
(
    SELECT server_id, ts, fps, players, sum(starts) OVER (PARTITION BY server_id ORDER BY ts, seq, idx) AS spike
    FROM
    (
        SELECT
            server_id, ts, seq, idx, fps, players,
            dateDiff('second', lagInFrame(ts) OVER (PARTITION BY server_id ORDER BY ts, seq, idx), ts) > {apart_s:UInt32} AS starts
        FROM corrosion.samples
        WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until AND fps < {below:Float64}
    )
)
GROUP BY server_id, spike
ORDER BY seconds DESC, began, server_id
LIMIT {limit:UInt32}
