SELECT toDate(ts, 'UTC') AS day, count() AS rows
FROM corrosion.samples
WHERE license_id = {license:UUID}
  AND ts >= {from:DateTime64(3, 'UTC')}
  AND ts < {to:DateTime64(3, 'UTC')}
  AND server_id IN {servers:Array(String)}
GROUP BY day
ORDER BY day
FORMAT TabSeparated
