{{- /* A mark as it was last written, deleted or not. */ -}}
SELECT event_id, server_id, ts, kind, title, text, data, source, received_at, deleted
FROM corrosion.event_log
WHERE license_id = {license:UUID} AND event_id = {id:UUID}
ORDER BY version DESC
LIMIT 1
