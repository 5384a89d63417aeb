-- Storage by table
--
-- How many rows and bytes does each table hold, in how many parts, and what does a row cost?
--
-- Topic: Data and storage
-- Reads: system.tables
-- Parameters: none
-- Answer:
--   table          String             -      the table
--   rows           Nullable(UInt64)   rows   rows in it
--   bytes          Nullable(UInt64)   bytes  on disk, compressed
--   bytes_per_row  Nullable(Float64)  bytes  the two divided; for samples: bytes per sample
--   parts          Nullable(UInt64)   parts  active parts; some hundred a day's partition mean that merges lag
SELECT
    name AS table,
    total_rows AS rows,
    total_bytes AS bytes,
    round(bytes / nullIf(rows, 0), 2) AS bytes_per_row,
    active_parts AS parts
FROM system.tables
WHERE database = 'corrosion' AND endsWith(engine, 'MergeTree')
ORDER BY bytes DESC, table
