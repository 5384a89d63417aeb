{{- /* Since and until when servers were heard. */ -}}
SELECT server_id, min(first_seen) AS first, max(last_seen) AS last
FROM corrosion.server_seen
WHERE license_id = {license:UUID}{{ if .Chosen }} AND server_id IN {servers:Array(String)}{{ end }}
GROUP BY server_id

{{- /* A server's last hour with samples and the one before: what it measured last. */ -}}
{{- define "newest" -}}
(server_id, hour) IN
    (
        SELECT server_id, arrayJoin([newest, newest - toIntervalHour(1)])
        FROM
        (
            SELECT server_id, toStartOfHour(max(last_seen)) AS newest
            FROM corrosion.server_seen
            WHERE license_id = {license:UUID}{{ if .Chosen }} AND server_id IN {servers:Array(String)}{{ end }}
            GROUP BY server_id
        )
    )
{{- end -}}
