{{- /* Restarts of whole hours: new boots or starts within the hour, and one more when none of them was there in the server's
hour before. Starts less than 20 s apart are one. */ -}}
SELECT
    toInt64(sum(greatest(toInt64(boot_changes), toInt64(start_changes)))) AS restarts
FROM
(
    SELECT
        greatest(toInt64(length(boots)) - 1, 0) + (notEmpty(boots) AND notEmpty(boots_before) AND NOT hasAny(boots, boots_before)) AS boot_changes,
        toInt64(arrayCount(step -> step > 1, arrayDifference(arrayMap(start -> toInt64(start), starts))))
            + (notEmpty(starts) AND notEmpty(starts_before) AND starts[1] > starts_before[-1] + 1) AS start_changes
    FROM
    (
{{ template "hour_boots" . }}
    )
    WHERE hour >= toDateTime({counted_from:UInt32}, 'UTC')
)
{{- define "hour_boots" }}        SELECT
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
            GROUP BY server_id, hour
        )
        WINDOW neighbours AS (PARTITION BY server_id ORDER BY hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
{{- end }}
