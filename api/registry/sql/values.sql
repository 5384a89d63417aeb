{{- /* One field of every server as it was last measured, to sort by. */ -}}
SELECT toString(server_id) AS server, CAST(argMaxMerge({{ index .Fields 0 }}_last), 'Nullable(Float64)') AS value
FROM corrosion.samples_hourly
WHERE license_id = {license:UUID} AND {{ template "newest" . }}
GROUP BY server_id
