SELECT
    ts,
    server_id,
    n,
    boot,
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
    map,
    version,
    toJSONString(metrics) AS metrics
FROM corrosion.samples
WHERE license_id = {license:UUID}
  AND ts >= {from:DateTime64(3, 'UTC')}
  AND ts < {to:DateTime64(3, 'UTC')}
ORDER BY server_id, ts, seq, idx
FORMAT Parquet
-- from = 1795342530.250
-- license = 11111111-1111-4111-8111-111111111111
-- to = 1795392000.001
