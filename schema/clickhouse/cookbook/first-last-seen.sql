-- First and last seen
--
-- Since when is each server known, when was it last heard of, and how much has it sent?
--
-- Topic: Availability
-- Reads: samples_hourly
-- Parameters:
--   license  UUID           the license whose servers are asked about
--   until    String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
-- Answer:
--   server_id     LowCardinality(String)  -        the server
--   first_minute  DateTime('UTC')         UTC      minute of its first sample (of the hours that are kept)
--   last_minute   DateTime('UTC')         UTC      minute of its last sample
--   hours         UInt64                  h        hours with a sample
--   samples       UInt64                  samples  how many samples
--   peak_players  Nullable(UInt32)        persons  most players in one sample
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    server_id,
    min(hour + toIntervalMinute(bitPositionsToArray(h.seen)[1])) AS first_minute,
    max(hour + toIntervalMinute(bitPositionsToArray(h.seen)[-1])) AS last_minute,
    count() AS hours,
    sum(h.samples) AS samples,
    max(h.peak) AS peak_players
FROM
(
    SELECT server_id, hour, groupBitOr(minutes) AS seen, sum(samples) AS samples, max(players_max) AS peak
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour < until
    GROUP BY server_id, hour
) AS h
GROUP BY server_id
ORDER BY first_minute DESC, server_id
