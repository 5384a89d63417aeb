{{- /* How many samples and servers a question over raw would meet, asked of the hours. */ -}}
SELECT
    sum(samples) AS samples,
    uniqExact(server_id) AS servers
FROM corrosion.samples_hourly
WHERE {{ template "hour_range" . }}
