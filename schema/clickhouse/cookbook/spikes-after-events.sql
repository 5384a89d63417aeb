-- What came before a lag spike
--
-- Which deploy, wipe, restart or note came last before each slow minute?
--
-- Topic: Performance
-- Reads: samples, events
-- Parameters:
--   license   UUID            the license whose servers are asked about
--   below     Float64  = 20   slow means: a sample with fewer server frames per second than this
--   within_h  UInt32   = 24   an event longer ago than this, in hours, explains nothing
--   hours     UInt32   = 24   how far back to look, in hours before until; raw samples are kept 7 days
--   until     String   = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit     UInt32   = 50   how many rows, those with most slow minutes first
-- Answer:
--   server_id      LowCardinality(String)          -         the server
--   slow_minutes   UInt64                          min       minutes with a slow sample whose last event is this one
--   first_slow     DateTime('UTC')                 UTC       the first of them
--   fps_min        Nullable(Float64)               frames/s  the slowest sample of them
--   kind           String                          -         what the event is; empty: none came before
--   title          String                          -         its title
--   event_at       Nullable(DateTime64(3, 'UTC'))  UTC       when it was; NULL: none came before
--   minutes_after  Nullable(Int64)                 min       from the event to the first slow minute
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until,
    slow AS
    (
        SELECT server_id, toString(server_id) AS server, toStartOfMinute(ts) AS minute, toDateTime64(min(ts), 3, 'UTC') AS first_ts, min(fps) AS fps_min
        FROM corrosion.samples
        WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until AND fps < {below:Float64}
        GROUP BY server_id, minute
    ),
    marks AS
    (
        -- a mark without a server stands for every server that was slow
        SELECT arrayJoin(if(e.server_id = '', servers, [toString(e.server_id)])) AS server, toString(e.kind) AS kind, e.title AS title, e.ts AS marked_at
        FROM corrosion.events AS e
        CROSS JOIN (SELECT groupUniqArray(server) AS servers FROM slow) AS every
        WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32} + {within_h:UInt32}) AND ts < until
    )
SELECT
    server_id,
    count() AS slow_minutes,
    min(minute) AS first_slow,
    round(min(s.fps_min), 1) AS fps_min,
    if(explained, kind_before, '') AS kind,
    if(explained, title_before, '') AS title,
    if(explained, marked_at, NULL) AS event_at,
    dateDiff('minute', event_at, first_slow) AS minutes_after
FROM
(
    SELECT slow.server_id AS server_id, slow.minute AS minute, slow.fps_min AS fps_min,
        m.kind AS kind_before, m.title AS title_before, m.marked_at AS marked_at,
        marked_at > slow.first_ts - toIntervalHour({within_h:UInt32}) AS explained
    FROM slow ASOF LEFT JOIN marks AS m ON slow.server = m.server AND slow.first_ts >= m.marked_at
) AS s
GROUP BY server_id, kind, title, event_at
ORDER BY slow_minutes DESC, server_id, first_slow
LIMIT {limit:UInt32}
