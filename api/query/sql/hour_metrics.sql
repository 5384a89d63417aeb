{{- /* Custom metrics over all samples, from their hours, and the raw tail of a mixed answer. */ -}}
SELECT
    bucket,
    server
    {{- range .Columns }},
    {{ template "join_cells" $.With . }} AS v{{ .Index }}
    {{- end }}
FROM
(
    SELECT
        {{ .Bucket .HourMillis }} AS bucket,
        {{ template "server" . }} AS server
        {{- range .Columns }},
        {{ if eq $.Agg "avg" }}sumIf(sum, metric = {{ .Param }}) AS sum{{ .Index }}, sumIf(count, metric = {{ .Param }}) AS count{{ .Index }}
        {{- else if eq $.Agg "sum" }}sumIf(sum, metric = {{ .Param }}) AS sum{{ .Index }}, sumIf(count, metric = {{ .Param }}) AS count{{ .Index }}
        {{- else if eq $.Agg "count" }}sumIf(count, metric = {{ .Param }}) AS count{{ .Index }}
        {{- else if eq $.Agg "min" }}minIf(toNullable(min), metric = {{ .Param }}) AS cell{{ .Index }}
        {{- else if eq $.Agg "max" }}maxIf(toNullable(max), metric = {{ .Param }}) AS cell{{ .Index }}
        {{- else }}if(countIf(metric = {{ .Param }}) = 0, NULL, argMaxMergeIf(last, metric = {{ .Param }})) AS cell{{ .Index }}{{ end }}
        {{- end }},
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE {{ template "hour_range" . }} AND metric IN ({{ range $i, $c := .Columns }}{{ if $i }}, {{ end }}{{ $c.Param }}{{ end }})
    GROUP BY bucket, server
    {{- if .Mixed }}
    UNION ALL
{{ template "raw_cells" . }}
    {{- end }}
)
GROUP BY bucket, server
