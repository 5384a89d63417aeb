SELECT
    ts,
    server_id,
    n,
    replaceRegexpOne(boot, '^[=+\\-@\\t\\r\\n]', '''\\0') AS boot,
    players,
    max_players,
    queued,
    joining,
    sleepers,
    fps,
    frame_ms,
    entities,
    memory_mb,
    cpu_percent,
    net_in,
    net_out,
    uptime_s,
    replaceRegexpOne(map, '^[=+\\-@\\t\\r\\n]', '''\\0') AS map,
    replaceRegexpOne(version, '^[=+\\-@\\t\\r\\n]', '''\\0') AS version,
    toJSONString(metrics) AS metrics
FROM corrosion.samples
WHERE license_id = {license:UUID}
  AND stored_at >= {stored_since:DateTime64(1, 'UTC')}
  AND stored_at < {stored_before:DateTime64(1, 'UTC')}
ORDER BY server_id, ts, seq, idx
FORMAT CSVWithNames
-- license = 11111111-1111-4111-8111-111111111111
-- stored_before = 1795392000.300
-- stored_since = 1795305600.100
