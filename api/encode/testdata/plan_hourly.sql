SELECT toDate(hour, 'UTC') AS day, uniqExact(server_id, hour) AS rows
FROM corrosion.samples_hourly
WHERE license_id = {license:UUID}
  AND hour >= {from:DateTime('UTC')}
  AND hour < {to:DateTime('UTC')}
  AND server_id IN {servers:Array(String)}
GROUP BY day
ORDER BY day
FORMAT TabSeparated
