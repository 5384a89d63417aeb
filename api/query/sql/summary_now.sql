{{- /* What the range does not change: players now, and the servers that are known. */ -}}
SELECT
    (
        SELECT CAST(sum(last), 'Nullable(Float64)')
        FROM
        (
            SELECT argMax(players, {{ template "place" }}) AS last
            FROM corrosion.samples
            WHERE {{ template "raw_range" . }}
            GROUP BY server_id
        )
    ) AS current,
    toUInt64(ifNull((
        SELECT uniqExact(server_id)
        FROM corrosion.samples_hourly
        WHERE license_id = {license:UUID}{{ if .Chosen }} AND server_id IN {servers:Array(String)}{{ end }}
    ), 0)) AS total
