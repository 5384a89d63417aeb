{{- /* The mean of what adds up over servers: each server's hourly mean weighted by its reporting minutes, over the minutes in
which any server reported. A raw minute weighs one. */ -}}
SELECT
    bucket,
    '' AS server
    {{- range .Columns }},
    if(sum(minutes{{ .Index }}) = 0, NULL, sum(weighted{{ .Index }}) / sum(minutes{{ .Index }})) AS v{{ .Index }}
    {{- end }}
FROM
(
{{ template "hour_weights" . }}
    {{- if .Mixed }}
    UNION ALL
    SELECT
        {{ .Bucket "slot" }} AS bucket
        {{- range .Columns }},
        toFloat64(ifNull(sum(total{{ .Index }}), 0)) AS weighted{{ .Index }}, toUInt64(count(total{{ .Index }})) AS minutes{{ .Index }}
        {{- end }}
    FROM
    (
{{ template "minute_totals" . }}
    )
    GROUP BY bucket
    {{- end }}
)
GROUP BY bucket
{{- define "hour_weights" }}
    {{- if .Whole }}    SELECT
        any(part_bucket) AS bucket
        {{- range .Columns }},
        sum(part{{ .Index }}) AS weighted{{ .Index }}, toUInt64(greatest(bitCount(groupBitOr(mask{{ .Index }})), max(part_minutes{{ .Index }}))) AS minutes{{ .Index }}
        {{- end }}
    FROM
    (
        SELECT
            {{ .Bucket .HourMillis }} AS part_bucket,
            hour,
            shardNum() AS shard
            {{- range .Columns }},
            {{ .Name }}_weighted AS part{{ .Index }}, {{ .Name }}_minutes AS part_minutes{{ .Index }}, {{ .Name }}_mask AS mask{{ .Index }}
            {{- end }}
        FROM corrosion.license_hourly_totals
        WHERE {{ template "hour_range" . }}
            {{- if .Any "total_hours" }} AND NOT {{ .Within "total_hours" "hour" }}{{ end }}
        ORDER BY hour, built_at DESC
        LIMIT 1 BY hour, shard
    )
    GROUP BY hour
        {{- if .Any "total_hours" }}
    UNION ALL
{{ template "server_weights" . }}
        {{- end }}
    {{- else }}{{ template "server_weights" . }}{{ end }}
{{- end }}
{{- define "server_weights" }}    SELECT
        {{ .Bucket .HourMillis }} AS bucket
        {{- range .Columns }},
        sum(mean{{ .Index }} * bitCount(mask{{ .Index }})) AS weighted{{ .Index }}, toUInt64(bitCount(groupBitOr(mask{{ .Index }}))) AS minutes{{ .Index }}
        {{- end }}
    FROM
    (
        SELECT
            server_id,
            hour
            {{- range .Columns }},
            if(sum({{ .Name }}_count) = 0, 0, sum({{ .Name }}_sum) / sum({{ .Name }}_count)) AS mean{{ .Index }},
            if(sum({{ .Name }}_count) = 0, 0, groupBitOr(minutes)) AS mask{{ .Index }}
            {{- end }}
        FROM corrosion.samples_hourly
        WHERE {{ template "hour_range" . }}{{ if .Any "total_hours" }} AND {{ .Within "total_hours" "hour" }}{{ end }}
        GROUP BY server_id, hour
    )
    GROUP BY hour
{{- end }}
