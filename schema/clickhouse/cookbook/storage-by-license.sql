-- Storage by license
--
-- Which license fills the disk, with how many servers, and since when?
--
-- Topic: Data and storage
-- Reads: samples, system.tables
-- Parameters:
--   limit  UInt32  = 100  how many licenses, the largest first
-- Answer:
--   license_id   UUID                  -        the license
--   servers      UInt64                servers  servers with a sample
--   samples      UInt64                samples  rows in samples
--   share        Float64               %        of all rows
--   bytes_about  UInt64                bytes    the table's bytes shared out by rows: licenses lie in the same parts
--   oldest       DateTime64(3, 'UTC')  UTC      oldest sample still there
WITH (SELECT total_bytes / nullIf(total_rows, 0) FROM system.tables WHERE database = 'corrosion' AND name = 'samples') AS row_bytes
SELECT
    license_id,
    uniqExact(server_id) AS servers,
    count() AS samples,
    round(100 * samples / sum(samples) OVER (), 2) AS share,
    toUInt64(ifNull(samples * row_bytes, 0)) AS bytes_about,
    min(ts) AS oldest
FROM corrosion.samples
GROUP BY license_id
ORDER BY samples DESC, license_id
LIMIT {limit:UInt32}
