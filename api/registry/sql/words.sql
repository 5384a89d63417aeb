{{- /* What chosen servers' newest samples say in words; nothing where they have expired. */ -}}
SELECT toString(server_id) AS server, toString(ifNull(argMax(map, (ts, seq, idx)), '')) AS level, toString(ifNull(argMax(version, (ts, seq, idx)), '')) AS build
FROM corrosion.samples
WHERE license_id = {license:UUID} AND (server_id, ts) IN
    (
        SELECT server_id, max(last_seen)
        FROM corrosion.server_seen
        WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)}
        GROUP BY server_id
    )
GROUP BY server_id
