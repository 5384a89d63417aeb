{{- /* The last of what adds up over servers: the sum of each server's last. */ -}}
SELECT
    bucket,
    '' AS server
    {{- range .Columns }},
    CAST(sum(last{{ .Index }}), 'Nullable(Float64)') AS v{{ .Index }}
    {{- end }}
FROM
(
    SELECT
        server_id,
        {{ .Bucket .Millis }} AS bucket
        {{- range .Columns }},
        argMax({{ .Value }}, {{ template "place" }}) AS last{{ .Index }}
        {{- end }}
    FROM corrosion.samples
    WHERE {{ template "raw_range" . }}
    GROUP BY server_id, bucket
)
GROUP BY bucket
