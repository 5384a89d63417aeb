{{- /* Which measurements the hours of a range hold, and of how many servers. */ -}}
SELECT name, servers
FROM
(
    SELECT
        concat('metrics.', metric) AS name,
        uniqExact(server_id) AS servers
    FROM corrosion.metrics_hourly
    WHERE {{ template "hour_range" . }}
    GROUP BY metric
    UNION ALL
    SELECT
        field.1 AS name,
        field.2 AS servers
    FROM
    (
        SELECT
            [
                {{- range $i, $c := .Columns }}{{ if $i }}, {{ end }}('{{ $c.Name }}', uniqExactIf(server_id, {{ $c.Name }}_count > 0)){{ end -}}
            ] AS counts
        FROM corrosion.samples_hourly
        WHERE {{ template "hour_range" . }}
    )
    ARRAY JOIN counts AS field
)
WHERE servers > 0
ORDER BY name
LIMIT {most:UInt32}
