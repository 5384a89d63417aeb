SELECT
    server_id, hour, samples,
    players_avg, players_min, players_max,
    fps_avg, fps_min, fps_p05, fps_p50,
    frame_ms_avg, frame_ms_p95, frame_ms_p99,
    entities_avg, entities_max,
    memory_mb_avg, memory_mb_max,
    cpu_percent_avg, cpu_percent_max,
    net_in_avg, net_out_avg,
    uptime_s_max, restarts
FROM corrosion.hourly
WHERE license_id = {license:UUID}
  AND hour >= {from:DateTime('UTC')}
  AND hour < {to:DateTime('UTC')}
{{- if .Servers}}
  AND server_id IN {servers:Array(String)}
{{- end}}
ORDER BY server_id, hour
FORMAT {{.Format}}
