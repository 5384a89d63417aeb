-- Population after a wipe
--
-- How many of the players of the first day are still there one, two, … days after each wipe?
--
-- Topic: Players
-- Reads: hourly, samples_hourly, events
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   days     UInt32  = 30   how many days back from until to look for wipes
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id             LowCardinality(String)  -        the server
--   wiped_at              DateTime64(3, 'UTC')    UTC      the wipe
--   day                   UInt16                  days     whole days since the wipe, 0 = the first 24 hours
--   avg_players           Nullable(Float64)       persons  mean of that day's hours
--   peak_players          Nullable(UInt32)        persons  most players in one sample of that day
--   percent_of_first_day  Nullable(Float64)       %        avg_players in percent of day 0
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until,
    wipes AS
    (
        -- a mark without a server stands for all servers of the license
        SELECT license_id, arrayJoin(if(e.server_id = '', servers, [toString(e.server_id)])) AS server, ts AS wiped_at
        FROM corrosion.events AS e
        CROSS JOIN (SELECT groupUniqArray(toString(server_id)) AS servers FROM corrosion.samples_hourly WHERE license_id = {license:UUID}) AS known
        WHERE license_id = {license:UUID} AND kind = 'wipe' AND ts >= until - toIntervalDay({days:UInt32}) AND ts < until
    )
SELECT
    server_id,
    wiped_at,
    toUInt16(intDiv(dateDiff('hour', wiped_at, hour), 24)) AS day,
    round(avg(players_avg), 1) AS avg_players,
    max(players_max) AS peak_players,
    round(100 * avg_players / nullIf(first_value(avg_players) OVER (PARTITION BY server_id, wiped_at ORDER BY day), 0), 1) AS percent_of_first_day
FROM (SELECT license_id, server_id, toString(server_id) AS server, toDateTime64(hour, 3, 'UTC') AS hour, players_avg, players_max FROM corrosion.hourly WHERE license_id = {license:UUID} AND hour < until) AS h
ASOF INNER JOIN wipes ON wipes.license_id = h.license_id AND wipes.server = h.server AND wipes.wiped_at <= h.hour
GROUP BY server_id, wiped_at, day
ORDER BY wiped_at DESC, server_id, day
