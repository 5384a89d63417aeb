SELECT event_id, server_id, ts, kind, title, text, data, source, received_at
FROM corrosion.events
WHERE license_id = {license:UUID}
    AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    {{- if .Servers }} AND server_id IN {servers:Array(String)}{{ end }}
    {{- if .Kinds }} AND kind IN {kinds:Array(String)}{{ end }}
    {{- if .After }} AND (ts, event_id) < (fromUnixTimestamp64Milli({after_ts:Int64}, 'UTC'), {after_id:UUID}){{ end }}
ORDER BY ts DESC, event_id DESC
LIMIT {most:UInt32}
