{{- /* Restarts of a whole license, from the servers' days where they are true and else from the hours. Between hours: new boots or
starts within the hour, and one more when none of them was there in the server's hour before; starts less than 20 s apart are
one. Hours from old_until on count only where boots and starts are both there and say the same, or nothing happened; the others
are named, with the server's hour before, for a look at their samples. */ -}}
WITH groupArrayArray({{ .MostUnsure }})(arrayConcat(
        if(first_hour >= toDateTime({old_until:UInt32}, 'UTC') AND NOT sure AND differs, [(toString(server_id), toUInt32(toUnixTimestamp(first_hour)), toUInt32(toUnixTimestamp(hour_before)))], []),
        arrayMap(hour -> (toString(server_id), hour.1, hour.2), arrayFilter(hour -> hour.1 >= {old_until:UInt32}, inside_unsure)))) AS unsure
SELECT
    toInt64(sum(multiIf(first_hour < toDateTime({old_until:UInt32}, 'UTC'), greatest(boot_changes, start_changes), sure, boot_changes, 0)
        + inside + arraySum(hour -> hour.3, arrayFilter(hour -> hour.1 < {old_until:UInt32}, inside_unsure)))) AS restarts,
    arrayMap(hour -> hour.1, unsure) AS unsure_servers,
    arrayMap(hour -> hour.2, unsure) AS unsure_hours,
    arrayMap(hour -> hour.3, unsure) AS hours_before,
    sum(cell_samples) AS found
FROM
(
    SELECT
        *,
        greatest(toInt64(length(boots)) - 1, 0) + (notEmpty(boots) AND notEmpty(boots_before) AND NOT hasAny(boots, boots_before)) AS boot_changes,
        toInt64(arrayCount(step -> step > 1, arrayDifference(arrayMap(start -> toInt64(start), starts))))
            + (notEmpty(starts) AND notEmpty(starts_before) AND starts[1] > starts_before[-1] + 1) AS start_changes,
        length(arrayDistinct(arrayConcat(boots, boots_before))) > 1 OR length(arrayDistinct(arrayConcat(starts, starts_before))) > 1 AS differs,
        notEmpty(boots) AND notEmpty(starts) AND notEmpty(boots_before) = notEmpty(starts_before) AND boot_changes = start_changes
            AND (boot_changes = 0 OR first_hour >= toDateTime({whole_from:UInt32}, 'UTC')
                {{- if .Tail }} AND (first_hour < toDateTime({tail_hour:UInt32}, 'UTC') OR server_id NOT IN (
{{ template "late" . }}
                )){{ end }}) AS sure
    FROM
    (
        SELECT
            server_id, first_hour, boots, starts, inside, inside_unsure, cell_samples,
            lagInFrame(last_hour) OVER neighbours AS hour_before,
            lagInFrame(last_boots) OVER neighbours AS boots_before,
            lagInFrame(last_starts) OVER neighbours AS starts_before
        FROM
        (
            SELECT
                server_id, hour AS first_hour, hour AS last_hour,
                groupUniqArrayArray(h.boots) AS boots, arraySort(groupUniqArrayArray(h.starts)) AS starts, boots AS last_boots, starts AS last_starts,
                toUInt32(0) AS inside, CAST([], 'Array(Tuple(UInt32, UInt32, UInt32))') AS inside_unsure, toUInt64(0) AS cell_samples
            FROM corrosion.samples_hourly AS h
            WHERE license_id = {license:UUID} AND {{ .Within "restart_hours" "hour" }}
                AND (hour >= toDateTime({near_from:UInt32}, 'UTC') OR server_id NOT IN (
{{ template "near" . }}
                ))
            GROUP BY server_id, hour
            {{- if .Days }}
            UNION ALL
            SELECT
                server_id, toDateTime(intDiv(first_minute, 60) * 3600, 'UTC') AS first_hour, toDateTime(intDiv(last_minute, 60) * 3600, 'UTC') AS last_hour,
                first_boots AS boots, first_starts AS starts, last_boots, last_starts,
                restarts AS inside, unsure AS inside_unsure, samples AS cell_samples
            FROM corrosion.server_daily
            WHERE {{ template "day_range" . }}
                AND last_minute >= {lookback_minute:UInt32}
                AND (day >= toDateTime({near_day:UInt32}, 'UTC') OR server_id NOT IN (
{{ template "near" . }}
                ))
            {{- end }}
        )
        WINDOW neighbours AS (PARTITION BY server_id ORDER BY first_hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WHERE first_hour >= toDateTime({counted_from:UInt32}, 'UTC')
)
{{- define "near" }}                    SELECT server_id
                    FROM corrosion.samples_hourly
                    WHERE license_id = {license:UUID} AND hour = toDateTime({near_from:UInt32}, 'UTC')
{{- end }}
