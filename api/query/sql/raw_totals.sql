{{- /* What adds up over servers: one-minute totals first, then over the minutes of the bucket. */ -}}
SELECT
    {{ .Bucket "slot" }} AS bucket,
    '' AS server
    {{- range .Columns }},
    CAST({{ if eq $.Agg "avg" }}avg(total{{ .Index }})
    {{- else if eq $.Agg "min" }}min(total{{ .Index }})
    {{- else if eq $.Agg "max" }}max(total{{ .Index }})
    {{- else }}quantileExactInclusive({{ $.Level }})(total{{ .Index }}){{ end }}, 'Nullable(Float64)') AS v{{ .Index }}
    {{- end }}
FROM
(
{{ template "minute_totals" . }}
)
GROUP BY bucket
{{- define "minute_totals" }}    SELECT
        slot
        {{- range .Columns }},
        sum(mean{{ .Index }}) AS total{{ .Index }}
        {{- end }}
    FROM
    (
        SELECT
            cityHash64(server_id) AS server, {{- /* a number is a quicker key; two of 10,000 servers share one once in 10^11 licenses */}}
            {{ .Slot }} AS slot
            {{- range .Columns }},
            avg({{ .Value }}) AS mean{{ .Index }}
            {{- end }}
        FROM corrosion.samples
        WHERE {{ template "raw_range" . }}
        GROUP BY server, slot
    )
    GROUP BY slot
{{- end }}
