{{- /* Every sample by itself: fields that do not add up, one server's own fields, custom metrics. */ -}}
SELECT
    {{ .Bucket .Millis }} AS bucket,
    {{ template "server" . }} AS server
    {{- range .Columns }},
    CAST({{ if eq $.Agg "avg" }}avg({{ .Value }})
    {{- else if eq $.Agg "sum" }}sum({{ .Value }})
    {{- else if eq $.Agg "count" }}nullIf(count({{ .Value }}), 0)
    {{- else if eq $.Agg "min" }}min({{ .Value }})
    {{- else if eq $.Agg "max" }}max({{ .Value }})
    {{- else if eq $.Agg "last" }}argMax({{ .Value }}, {{ template "place" }})
    {{- else if $.Sketched }}quantileBFloat16({{ $.Level }})({{ .Value }})
    {{- else }}quantileExactInclusive({{ $.Level }})({{ .Value }}){{ end }}, 'Nullable(Float64)') AS v{{ .Index }}
    {{- end }}
FROM corrosion.samples
WHERE {{ template "raw_range" . }}
GROUP BY bucket, server
