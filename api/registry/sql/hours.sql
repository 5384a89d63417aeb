{{- /* Chosen servers by the hour: for their sparklines the last hours, for what they measured last their own last ones. */ -}}
SELECT
    toString(server_id) AS server,
    hour AS at,
    CAST(if(sum(players_count) = 0, NULL, sum(players_sum) / sum(players_count)), 'Nullable(Float64)') AS players_mean
    {{- range .Fields }},
    CAST(argMaxMerge({{ . }}_last), 'Nullable(Float64)') AS last_{{ . }}
    {{- end }}
FROM corrosion.samples_hourly
WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND (hour >= toDateTime({since:UInt32}, 'UTC') OR {{ template "newest" . }})
GROUP BY server_id, hour
ORDER BY server, at
