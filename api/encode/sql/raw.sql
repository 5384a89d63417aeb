SELECT
    ts,
    server_id,
{{- range .Fields}}
    {{.}},
{{- end}}
    {{.Metrics}}
FROM corrosion.samples
WHERE license_id = {license:UUID}
  AND ts >= {from:DateTime64(3, 'UTC')}
  AND ts < {to:DateTime64(3, 'UTC')}
{{- if .Servers}}
  AND server_id IN {servers:Array(String)}
{{- end}}
ORDER BY server_id, ts, seq, idx
FORMAT {{.Format}}
