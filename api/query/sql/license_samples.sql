{{- /* Fields over all samples of a license, from the license's own states: hours, then minutes; the gaps from the servers' hours
and from raw. The latest cell of a bucket gives its last value. */ -}}
SELECT
    bucket,
    '' AS server
    {{- range .Columns }},
    {{ template "join_cells" $.With . }} AS v{{ .Index }}
    {{- end }}
FROM
(
{{ template "license_cells" . }}
)
GROUP BY bucket
{{- define "license_cells" }}
    {{- if .Hours }}{{ template "state_cells" (.Cells "license_hourly") }}
        {{- if .Any "live_hours" }}
    UNION ALL
{{ template "state_cells" (.Cells "samples_hourly") }}
        {{- end }}
        {{- if .Recent }}
    UNION ALL
{{ end }}
    {{- end }}
    {{- if .Recent }}{{ template "state_cells" (.Cells "license_minutely") }}
        {{- if .Any "live" }}
    UNION ALL
{{ template "state_cells" (.Cells "samples") }}
        {{- end }}
    {{- end }}
{{- end }}
{{- define "state_cells" }}    SELECT
        {{ .Bucket .Millis }} AS bucket
        {{- range .Columns }},
        {{ if eq $.Agg "avg" "sum" }}{{ $.Sum . }} AS sum{{ .Index }}, {{ $.Count . }} AS count{{ .Index }}
        {{- else if eq $.Agg "count" }}{{ $.Count . }} AS count{{ .Index }}
        {{- else }}{{ $.Cell . }} AS cell{{ .Index }}{{ end }}
        {{- end }},
        {{ if eq .Agg "last" }}toInt64(toUnixTimestamp({{ .Time }})){{ else }}0{{ end }} AS later
    FROM corrosion.{{ .Table }} AS t
    WHERE {{ .Where }}
    GROUP BY bucket, later
{{- end }}
