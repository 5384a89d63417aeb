-- Duplicates
--
-- Is any sample stored twice? An empty answer is the right one.
--
-- Topic: Data and storage
-- Reads: samples
-- Parameters:
--   hours  UInt32  = 24   how far back to look, in hours before until; raw samples are kept 7 days
--   until  String  = now  the end of the range: now, or a UTC time like 2026-11-20T18:00:00Z
--   limit  UInt32  = 100  how many identities
-- Answer:
--   epoch       UInt64                -     the stream's incarnation
--   seq         UInt64                -     the message's sequence in the stream
--   idx         UInt16                -     the sample's place in the message
--   copies      UInt64                rows  how often it is stored; 1 would be right
--   license_id  UUID                  -     its license
--   server_id   String                -     its server
--   ts          DateTime64(3, 'UTC')  UTC   when it was measured
WITH parseDateTime64BestEffort(replaceRegexpOne({until:String}, '^now$', toString(now64(3, 'UTC'))), 3, 'UTC') AS until
SELECT
    epoch, seq, idx,
    count() AS copies,
    any(s.license_id) AS license_id,
    any(s.server_id) AS server_id,
    min(s.ts) AS ts
FROM corrosion.samples AS s
WHERE s.ts >= until - toIntervalHour({hours:UInt32}) AND s.ts < until
GROUP BY epoch, seq, idx
HAVING copies > 1
ORDER BY epoch, seq, idx
LIMIT {limit:UInt32}
