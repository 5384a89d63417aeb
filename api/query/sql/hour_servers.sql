{{- /* Sums of the servers' own: last, and the bounds that min and max are where several servers report. */ -}}
SELECT
    bucket,
    '' AS server
    {{- range .Columns }},
    sum(cell{{ .Index }}) AS v{{ .Index }}
    {{- end }},
    greatest({{ range $i, $c := .Columns }}{{ if $i }}, {{ end }}count(cell{{ $c.Index }}){{ end }}) AS servers
FROM
(
    SELECT
        server_id,
        bucket
        {{- range .Columns }},
        {{ template "own" $.With . }} AS cell{{ .Index }}
        {{- end }}
    FROM
    (
        SELECT
            server_id,
            {{ .Bucket .HourMillis }} AS bucket
            {{- range .Columns }},
            CAST({{ if eq $.Agg "last" }}argMaxMerge({{ .Name }}_last){{ else }}{{ $.Agg }}({{ .Name }}_{{ $.Agg }}){{ end }}, 'Nullable(Float64)') AS part{{ .Index }}
            {{- end }},
            0 AS later
        FROM corrosion.samples_hourly
        WHERE {{ template "hour_range" . }}
        GROUP BY server_id, bucket
        {{- if .Mixed }}
        UNION ALL
        SELECT
            server_id,
            {{ .Bucket .Millis }} AS bucket
            {{- range .Columns }},
            CAST({{ if eq $.Agg "last" }}argMax({{ .Value }}, {{ template "place" }}){{ else }}{{ $.Agg }}({{ .Value }}){{ end }}, 'Nullable(Float64)') AS part{{ .Index }}
            {{- end }},
            1 AS later
        FROM corrosion.samples
        WHERE {{ template "raw_range" . }}
        GROUP BY server_id, bucket
        {{- end }}
    )
    GROUP BY server_id, bucket
)
GROUP BY bucket
{{- define "own" }}
    {{- if eq .Agg "last" }}argMax(part{{ .Index }}, later){{ else }}{{ .Agg }}(part{{ .Index }}){{ end }}
{{- end }}
