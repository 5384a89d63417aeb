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
{{- define "minute_totals" }}
    {{- if .Whole }}    SELECT
        slot
        {{- range .Columns }},
        sum(part{{ .Index }}) AS total{{ .Index }}
        {{- end }}
    FROM
    (
        SELECT
            toInt64(toUnixTimestamp(minute)) * 1000 AS slot,
            shardNum() AS shard
            {{- range .Columns }},
            {{ .Name }} AS part{{ .Index }}
            {{- end }}
        FROM corrosion.license_minutely_totals
        WHERE license_id = {license:UUID} AND minute >= toDateTime({body_from:UInt32}, 'UTC') AND minute < toDateTime({body_to:UInt32}, 'UTC')
            {{- if .Any "totals" }} AND NOT {{ .Within "totals" "minute" }}{{ end }}
        ORDER BY minute, built_at DESC
        LIMIT 1 BY minute, shard
    )
    GROUP BY slot
        {{- if .Any "totals" }}
    UNION ALL
{{ template "server_totals" . }}
        {{- end }}
    {{- else }}{{ template "server_totals" . }}{{ end }}
{{- end }}
{{- define "server_totals" }}    SELECT
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
        WHERE {{ template "raw_range" . }}{{ if .Any "totals" }} AND {{ .Within "totals" "ts" }}{{ end }}
        GROUP BY server, slot
    )
    GROUP BY slot
{{- end }}
