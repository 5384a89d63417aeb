{{- /* What a summary says over all samples of a license, from the license's own states. */ -}}
SELECT
    toUInt64(sum(n)) AS samples
    {{- range .Columns }},
    CAST(if(sum({{ .Name }}_n) = 0, NULL, sum({{ .Name }}_s) / sum({{ .Name }}_n)), 'Nullable(Float64)') AS {{ .Name }}_avg,
    CAST({{ if eq .Name "fps" }}min({{ .Name }}_low){{ else }}max({{ .Name }}_high){{ end }}, 'Nullable(Float64)') AS {{ .Name }}_extreme
    {{- end }},
    arraySlice(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_cell), 1, 2) AS fps,
    arraySlice(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(frame_ms_cell), 3, 2) AS frame_ms
FROM
(
    {{- if .Hours }}
{{ template "figure_cells" (.Cells "license_hourly") }}
        {{- if .Any "live_hours" }}
    UNION ALL
{{ template "figure_cells" (.Cells "samples_hourly") }}
        {{- end }}
        {{- if .Recent }}
    UNION ALL
        {{- end }}
    {{- end }}
    {{- if .Recent }}
{{ template "figure_cells" (.Cells "license_minutely") }}
        {{- if .Any "live" }}
    UNION ALL
{{ template "figure_cells" (.Cells "samples") }}
        {{- end }}
    {{- end }}
)
{{- define "figure_cells" }}    SELECT
        {{ .Samples }} AS n
        {{- range .Columns }},
        {{ $.Sum . }} AS {{ .Name }}_s, {{ $.Count . }} AS {{ .Name }}_n, {{ $.Extreme "min" . }} AS {{ .Name }}_low, {{ $.Extreme "max" . }} AS {{ .Name }}_high
        {{- if eq .Name "fps" "frame_ms" }}, {{ $.Sketch . }} AS {{ .Name }}_cell{{ end }}
        {{- end }}
    FROM corrosion.{{ .Table }} AS t
    WHERE {{ .Where }}
{{- end }}
