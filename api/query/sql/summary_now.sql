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
        FROM
        (
            SELECT server_id FROM corrosion.server_seen WHERE license_id = {license:UUID}
            UNION ALL
            SELECT arrayJoin({registered:Array(String)})
        )
        WHERE server_id NOT IN {archived:Array(String)}{{ if .Chosen }} AND server_id IN {servers:Array(String)}{{ end }}
    ), 0)) AS total
