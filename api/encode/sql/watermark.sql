SELECT
    toUnixTimestamp64Milli(now64(3)) AS ms,
    count() AS inserts,
    toInt64(ceil(max(elapsed) * 1000)) AS oldest_ms
FROM system.processes
WHERE query_kind IN ('Insert', 'AsyncInsertFlush')
  AND position(query, 'samples') > 0
FORMAT TabSeparated
