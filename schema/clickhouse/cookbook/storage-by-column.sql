-- Storage by column
--
-- Which columns cost the disk most? Parts below 10 MB keep their columns in one file and count as 0.
--
-- Topic: Data and storage
-- Reads: system.columns, system.tables
-- Parameters:
--   table  String  = samples  the table: samples, samples_hourly, metrics_hourly, network_hours, event_log
-- Answer:
--   column         String             -      the column
--   bytes          UInt64             bytes  on disk, compressed
--   share          Nullable(Float64)  %      of all columns
--   bytes_per_row  Nullable(Float64)  bytes  for each row of the table
--   times_smaller  Nullable(Float64)  -      uncompressed by compressed
SELECT
    c.name AS column,
    c.data_compressed_bytes AS bytes,
    round(100 * bytes / nullIf(sum(bytes) OVER (), 0), 1) AS share,
    round(bytes / nullIf(t.total_rows, 0), 3) AS bytes_per_row,
    round(c.data_uncompressed_bytes / nullIf(bytes, 0), 1) AS times_smaller
FROM system.columns AS c
INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE c.database = 'corrosion' AND c.table = {table:String}
ORDER BY bytes DESC, column
