{{- /* What a summary says of each server, over the whole license: from the hours, whose minutes are cut where the range cuts an
hour, and raw for the newest hour. Where the range begins within an hour but on a whole minute, raw is read only for servers
whose hour does not tell what lies after the cut: those that left out a measurement now and then. */ -}}
SELECT
    {{ if .Archived }}countIf(server_id NOT IN {archived:Array(String)}){{ else }}count(){{ end }} AS reporting,
    CAST(sum(server_capacity), 'Nullable(Float64)') AS capacity,
    toInt64(sum(least(toInt64(reported), slots))) AS slots_reported,
    toInt64(sum(slots)) AS slots_expected,
    toUInt8(max(server_starts > 0)) AS starts_measured
FROM
(
    SELECT
        *,
        toInt64({end_minute:Int64}) - first_minute AS span,
        if(gap > 1, toInt64(ceil(span / gap)), greatest(span, 1)) AS slots
    FROM
    (
        SELECT
            server_id,
            argMax(cell_capacity, hour) AS server_capacity,
            max(cell_starts) AS server_starts,
            groupArray((toInt64(intDiv(toUnixTimestamp(hour), 60)), mask)) AS hours,
            sum(bitCount(mask)) AS reported,
            toInt64(intDiv(toUnixTimestamp(min(hour)), 60)) + bitPositionsToArray(argMin(mask, hour))[1] AS first_minute,
            toInt64(intDiv(toUnixTimestamp(max(hour)), 60)) + bitPositionsToArray(argMax(mask, hour))[-1] AS last_minute,
            {{ if .Expected }}transform(toString(server_id), {paced:Array(String)}, arrayMap(s -> s / 60, {paces:Array(UInt32)}), toFloat64({{ end }}if(reported < 2 OR 3 * (reported - 1) > 2 * (last_minute - first_minute), 1,
                arrayReduce('quantileExactInclusive(0.5)', arrayPopFront(arrayDifference(
                    arrayFlatten(arrayMap(h -> arrayMap(minute -> h.1 + minute, bitPositionsToArray(h.2)), arraySort(hours))))))){{ if .Expected }})){{ end }} AS gap
        FROM
        (
            SELECT
                server_id,
                hour,
                argMaxMerge(max_players_last) AS cell_capacity,
                sum(uptime_s_count) + max(length(boots)) AS cell_starts,
                bitAnd(groupBitOr(minutes), if(hour < toDateTime({head_to:UInt32}, 'UTC'), {head_mask:UInt64}, toUInt64(18446744073709551615))) AS mask
            FROM corrosion.samples_hourly
            WHERE {{ template "hour_range" . }}
                {{- if .Head }} AND (hour >= toDateTime({head_to:UInt32}, 'UTC') OR server_id NOT IN (
{{ template "irregular" . }}
                )){{ end }}
            GROUP BY server_id, hour
            HAVING mask != 0
            {{- if .Raw }}
            UNION ALL
            SELECT
                server_id,
                toStartOfHour(ts) AS hour,
                argMax(max_players, {{ template "place" }}) AS cell_capacity,
                count(uptime_s) + count(boot) AS cell_starts,
                groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts))) AS mask
            FROM corrosion.samples
            WHERE {{ template "raw_range" . }}
                AND (ts >= fromUnixTimestamp64Milli({tail_ms:Int64}, 'UTC') OR ts < fromUnixTimestamp64Milli({head_ms:Int64}, 'UTC')
                {{- if .Head }} AND server_id IN (
{{ template "irregular" . }}
                ){{ end }})
            GROUP BY server_id, hour
            {{- end }}
        )
        GROUP BY server_id
    )
)
SETTINGS short_circuit_function_evaluation = 'force_enable'
{{- define "irregular" }}                    SELECT server_id
                    FROM corrosion.samples_hourly AS h
                    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({head_to:UInt32}, 'UTC')
                    GROUP BY server_id
                    HAVING sum(h.max_players_count) NOT IN (0, sum(h.samples)) OR sum(h.uptime_s_count) != sum(h.samples) AND (sum(h.uptime_s_count) > 0 OR max(length(h.boots)) > 0)
{{- end }}
