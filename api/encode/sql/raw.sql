{{define "chosen" -}}
FROM corrosion.samples
WHERE license_id = {license:UUID}
{{- if .Range}}
  AND ts >= {from:DateTime64(3, 'UTC')}
  AND ts < {to:DateTime64(3, 'UTC')}
{{- end}}
{{- if and .Since .Ahead}}
  AND (stored_at >= {stored_since:DateTime64(1, 'UTC')} OR ts >= {ahead:DateTime64(3, 'UTC')})
{{- else if .Since}}
  AND stored_at >= {stored_since:DateTime64(1, 'UTC')}
{{- end}}
{{- if .Before}}
  AND stored_at < {stored_before:DateTime64(1, 'UTC')}
{{- end}}
{{- if .Servers}}
  AND server_id IN {servers:Array(String)}
{{- end}}
{{- end -}}
SELECT
    ts,
    server_id,
{{- range .Fields}}
    {{.}},
{{- end}}
    {{.Metrics}}
{{template "chosen" .}}
ORDER BY server_id, ts, seq, idx
FORMAT {{.Format}}
