{{- /* Fields over all samples, from the hours' states; a mixed answer adds the states of the raw tail, so that a bucket
over the cut is whole. */ -}}
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
        {{ if eq $.Agg "avg" }}toFloat64(sum({{ .Name }}_sum)) AS sum{{ .Index }}, sum({{ .Name }}_count) AS count{{ .Index }}
        {{- else if eq $.Agg "sum" }}toFloat64(sum({{ .Name }}_sum)) AS sum{{ .Index }}, sum({{ .Name }}_count) AS count{{ .Index }}
        {{- else if eq $.Agg "count" }}sum({{ .Name }}_count) AS count{{ .Index }}
        {{- else if eq $.Agg "min" }}CAST(min({{ .Name }}_min), 'Nullable(Float64)') AS cell{{ .Index }}
        {{- else if eq $.Agg "max" }}CAST(max({{ .Name }}_max), 'Nullable(Float64)') AS cell{{ .Index }}
        {{- else if eq $.Agg "last" }}CAST(argMaxMerge({{ .Name }}_last), 'Nullable(Float64)') AS cell{{ .Index }}
        {{- else }}quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)({{ .Name }}_sketch) AS cell{{ .Index }}{{ end }}
        {{- end }},
        0 AS later
    FROM corrosion.samples_hourly
    WHERE {{ template "hour_range" . }}
    GROUP BY bucket, server
    {{- if .Mixed }}
    UNION ALL
{{ template "raw_cells" . }}
    {{- end }}
)
GROUP BY bucket, server
{{- define "raw_cells" }}    SELECT
        {{ .Bucket .Millis }} AS bucket,
        {{ template "server" . }} AS server
        {{- range .Columns }},
        {{ if eq $.Agg "avg" }}toFloat64(ifNull(sum({{ .Value }}), 0)) AS sum{{ .Index }}, count({{ .Value }}) AS count{{ .Index }}
        {{- else if eq $.Agg "sum" }}toFloat64(ifNull(sum({{ .Value }}), 0)) AS sum{{ .Index }}, count({{ .Value }}) AS count{{ .Index }}
        {{- else if eq $.Agg "count" }}count({{ .Value }}) AS count{{ .Index }}
        {{- else if eq $.Agg "min" }}CAST(min({{ .Value }}), 'Nullable(Float64)') AS cell{{ .Index }}
        {{- else if eq $.Agg "max" }}CAST(max({{ .Value }}), 'Nullable(Float64)') AS cell{{ .Index }}
        {{- else if eq $.Agg "last" }}CAST(argMax({{ .Value }}, {{ template "place" }}), 'Nullable(Float64)') AS cell{{ .Index }}
        {{- else }}quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)({{ .Value }}) AS cell{{ .Index }}{{ end }}
        {{- end }},
        1 AS later
    FROM corrosion.samples
    WHERE {{ template "raw_range" . }}
    GROUP BY bucket, server
{{- end }}
{{- define "join_cells" }}CAST(
    {{- if eq .Agg "avg" }}if(sum(count{{ .Index }}) = 0, NULL, sum(sum{{ .Index }}) / sum(count{{ .Index }}))
    {{- else if eq .Agg "sum" }}if(sum(count{{ .Index }}) = 0, NULL, sum(sum{{ .Index }}))
    {{- else if eq .Agg "count" }}nullIf(sum(count{{ .Index }}), 0)
    {{- else if eq .Agg "min" }}min(cell{{ .Index }})
    {{- else if eq .Agg "max" }}max(cell{{ .Index }})
    {{- else if eq .Agg "last" }}argMax(cell{{ .Index }}, later)
    {{- else }}quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell{{ .Index }})[{{ .LevelIndex }}]{{ end }}, 'Nullable(Float64)')
{{- end }}
