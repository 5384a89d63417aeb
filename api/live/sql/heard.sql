SELECT server_id, toUnixTimestamp64Milli(max(last_seen)) AS ms
FROM corrosion.server_seen
WHERE license_id = {license:UUID}
GROUP BY server_id
ORDER BY ms DESC
LIMIT {most:UInt32}
