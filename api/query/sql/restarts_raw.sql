{{- /* Restarts between neighbouring samples, looked for only in the hours that are not sure and whose boots or starts differ among
themselves or from those of the server's hour before. */ -}}
SELECT
    toInt64(countIf(ts >= fromUnixTimestamp64Milli({counted_from_ms:Int64}, 'UTC') AND follows AND (boot != boot_before OR uptime_s < uptime_before)
        AND (server_id, toStartOfHour(ts)) IN
        (
            SELECT server_id, hour
            FROM
            (
{{ template "unsure" . }}
            )
        ))) AS restarts
FROM
(
    SELECT
        server_id,
        ts,
        boot,
        uptime_s,
        lagInFrame(1) OVER neighbours = 1 AS follows,
        lagInFrame(boot) OVER neighbours AS boot_before,
        lagInFrame(uptime_s) OVER neighbours AS uptime_before
    FROM corrosion.samples
    WHERE {{ template "raw_range" . }}
        AND (server_id, toStartOfHour(ts)) IN
        (
            SELECT server_id, arrayJoin([hour, hour_before])
            FROM
            (
{{ template "unsure" . }}
            )
        )
    WINDOW neighbours AS (PARTITION BY server_id ORDER BY ts, seq, idx ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
{{- define "unsure" }}                SELECT server_id, hour, hour_before
                FROM
                (
{{ template "hour_changes" . }}
                )
                WHERE NOT ({{ template "sure" . }})
                    AND {{ template "differs" . }}
{{- end }}
