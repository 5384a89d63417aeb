{{- /* Restarts of whole hours: new boots or starts within the hour, and one more when none of them was there in the server's
hour before. Starts less than 20 s apart are one. */ -}}
SELECT
    toInt64(sum(greatest(boot_changes, start_changes))) AS restarts
FROM
(
{{ template "hour_changes" . }}
)
{{- define "hour_changes" }}    SELECT
        server_id,
        hour,
        hour_before,
        boots,
        starts,
        boots_before,
        starts_before,
        greatest(toInt64(length(boots)) - 1, 0) + (notEmpty(boots) AND notEmpty(boots_before) AND NOT hasAny(boots, boots_before)) AS boot_changes,
        toInt64(arrayCount(step -> step > 1, arrayDifference(arrayMap(start -> toInt64(start), starts))))
            + (notEmpty(starts) AND notEmpty(starts_before) AND starts[1] > starts_before[-1] + 1) AS start_changes
    FROM
    (
        SELECT
            server_id,
            hour,
            boots,
            starts,
            lagInFrame(hour) OVER neighbours AS hour_before,
            lagInFrame(boots) OVER neighbours AS boots_before,
            lagInFrame(starts) OVER neighbours AS starts_before
        FROM
        (
            SELECT
                server_id,
                hour,
                groupUniqArrayArray(boots) AS boots,
                arraySort(groupUniqArrayArray(starts)) AS starts
            FROM corrosion.samples_hourly
            WHERE {{ template "hour_range" . }}
                AND (hour >= toDateTime({near_from:UInt32}, 'UTC') OR server_id IN {{ template "silent_before" . }})
            GROUP BY server_id, hour
        )
        WINDOW neighbours AS (PARTITION BY server_id ORDER BY hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WHERE hour >= toDateTime({counted_from:UInt32}, 'UTC')
{{- end }}
{{- /* The servers for which the hour before is not enough to look back to. */ -}}
{{- define "silent_before" }}
                (
                    SELECT server_id
                    FROM corrosion.samples_hourly
                    WHERE {{ template "near_range" . }}
                    GROUP BY server_id
                    HAVING min(hour) >= toDateTime({counted_from:UInt32}, 'UTC')
                )
{{- end }}
{{- define "near_range" -}}
license_id = {license:UUID}
    {{- if .Chosen }} AND server_id IN {servers:Array(String)}{{ end }} AND hour >= toDateTime({near_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
{{- end }}
