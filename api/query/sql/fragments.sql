{{- /* What every statement is composed of. The license stands first: it leads the primary key. */ -}}

{{- define "raw_range" -}}
license_id = {license:UUID}
    {{- if .Chosen }} AND server_id IN {servers:Array(String)}{{ end }} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
{{- end -}}

{{- define "hour_range" -}}
license_id = {license:UUID}
    {{- if .Chosen }} AND server_id IN {servers:Array(String)}{{ end }} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
{{- end -}}

{{- /* The order of samples: by ts, ties by the highest (seq, idx). */ -}}
{{- define "place" }}(ts, seq, idx){{ end -}}

{{- define "server" }}{{ if .Grouped }}server_id{{ else }}''{{ end }}{{ end -}}
