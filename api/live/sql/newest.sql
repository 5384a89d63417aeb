SELECT server_id, toUnixTimestamp64Milli(ts) AS ms, {{ .Fields }}, metrics
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({since:Int64})
ORDER BY server_id, ts DESC, seq DESC, idx DESC
LIMIT 1 BY server_id
LIMIT {most:UInt32}
