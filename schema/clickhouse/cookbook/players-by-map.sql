-- Players by map
--
-- Which maps do players spend their time on, and how well do those maps run?
--
-- Topic: Players
-- Reads: samples
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   hours    UInt32  = 168  how far back to look, in hours before until; raw samples are kept 7 days
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   map           LowCardinality(String)  -         the map (level); empty where it was not sent
--   servers       UInt64                  servers   servers that ran it
--   player_hours  Nullable(Float64)       h         sum over servers and hours of the mean players times the time heard of
--   share         Nullable(Float64)       %         of all player hours
--   avg_players   Nullable(Float64)       persons   mean players of a server that runs it
--   fps_p05       Nullable(Float64)       frames/s  95 % of the samples were faster; within 0.4 % of the exact value
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    m.name AS map,
    uniqExact(m.server_id) AS servers,
    round(sum(m.players * m.heard) / 60, 1) AS player_hours,
    round(100 * player_hours / nullIf(sum(player_hours) OVER (), 0), 1) AS share,
    round(sum(m.players * m.heard) / nullIf(sumIf(m.heard, m.players IS NOT NULL), 0), 1) AS avg_players,
    round(quantileBFloat16Merge(0.05)(m.fps), 1) AS fps_p05
FROM
(
    SELECT
        server_id, toStartOfHour(ts) AS hour, toString(ifNull(map, '')) AS name,
        avg(players) AS players,
        -- minutes of the hour with a sample
        bitCount(groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts)))) AS heard,
        quantileBFloat16State(0.05)(fps) AS fps
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= until - toIntervalHour({hours:UInt32}) AND ts < until
    GROUP BY server_id, hour, name
) AS m
GROUP BY map
ORDER BY player_hours DESC NULLS LAST, map
