-- Samples by day
--
-- What came in on each day that is kept raw: samples, servers, how late, in how many parts?
--
-- Topic: Data and storage
-- Reads: samples
-- Parameters:
--   license  UUID    the license whose servers are asked about
-- Answer:
--   day           Date     -        day of ts, UTC: the table's partition
--   samples       UInt64   samples  rows
--   servers       UInt64   servers  servers with a sample
--   per_server_s  Float64  s        mean seconds between two samples of a server while it sent
--   late          UInt64   samples  received more than a minute after they were measured
--   parts         UInt64   parts    parts of the partition that hold the license's rows
SELECT
    day,
    sum(d.samples) AS samples,
    count() AS servers,
    round(sum(d.seconds) / greatest(sum(d.samples) - count(), 1), 1) AS per_server_s,
    sum(d.late) AS late,
    length(groupUniqArrayArray(d.parts)) AS parts
FROM
(
    SELECT
        toDate(ts) AS day, count() AS samples, dateDiff('second', min(ts), max(ts)) AS seconds,
        countIf(received_at > ts + toIntervalMinute(1)) AS late, groupUniqArray(_part) AS parts
    FROM corrosion.samples
    WHERE license_id = {license:UUID}
    GROUP BY day, server_id
) AS d
GROUP BY day
ORDER BY day DESC
