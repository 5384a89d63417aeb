{{- /* What a summary says of each server, over the whole license: from the servers' days where they are true, else from the hours,
whose minutes are cut where the range cuts an hour. Where the range begins within an hour but on a whole minute, raw is read only
for servers whose hour does not tell what lies after the cut: those that left out a measurement now and then. Where it ends
within an hour, only for servers that have samples after the end. */ -}}
SELECT
    {{ if .Archived }}countIf(server_id NOT IN {archived:Array(String)}){{ else }}count(){{ end }} AS reporting,
    CAST(sum(server_capacity), 'Nullable(Float64)') AS capacity,
    toInt64(sum(least(toInt64(reported), slots))) AS slots_reported,
    toInt64(sum(slots)) AS slots_expected,
    toUInt8(max(server_starts > 0)) AS starts_measured,
    toUInt64(sum(day_samples)) AS found
FROM
(
    SELECT
        *,
        toInt64({end_minute:Int64}) - first_minute AS span,
        if(gap > 1, toInt64(ceil(span / gap)), greatest(span, 1)) AS slots
    FROM
    (
        WITH
            arraySort(arrayConcat(arrayMap(h -> (toInt64(h.1 + bitPositionsToArray(h.2)[1]), toInt64(h.1 + bitPositionsToArray(h.2)[-1])), hours), arrayMap(d -> (toInt64(d.1), toInt64(d.2)), days))) AS stretches,
            arrayMap((later, earlier) -> (later.1 - earlier.2, toInt64(1)), arrayPopFront(stretches), arrayPopBack(stretches)) AS between,
            arrayMap(distance -> (toInt64(distance), toInt64(1)), arrayFlatten(arrayMap(h -> arrayPopFront(arrayDifference(bitPositionsToArray(h.2))), hours))) AS in_hours,
            arrayFlatten(arrayMap(d -> arrayMap((distance, times) -> (toInt64(distance), toInt64(times)), d.3, d.4), days)) AS in_days,
            arraySort(arrayConcat(between, in_hours, in_days)) AS distances,
            arrayCumSum(d -> d.2, distances) AS places
        SELECT
            server_id,
            argMax(cell_capacity, at) AS server_capacity,
            max(cell_starts) AS server_starts,
            sum(cell_samples) AS day_samples,
            groupArrayIf((toInt64(intDiv(toUnixTimestamp(at), 60)), mask), mask != 0) AS hours,
            groupArrayIf((day_first, day_last, day_gaps, day_counts), mask = 0) AS days,
            sum(if(mask = 0, day_reported, bitCount(mask))) AS reported,
            argMin((mask, toInt64(intDiv(toUnixTimestamp(at), 60)), toInt64(day_first)), at) AS head,
            argMax((mask, toInt64(intDiv(toUnixTimestamp(at), 60)), toInt64(day_last)), at) AS tail,
            if(head.1 = 0, head.3, head.2 + bitPositionsToArray(head.1)[1]) AS first_minute,
            if(tail.1 = 0, tail.3, tail.2 + bitPositionsToArray(tail.1)[-1]) AS last_minute,
            {{ if .Expected }}transform(toString(server_id), {paced:Array(String)}, arrayMap(s -> s / 60, {paces:Array(UInt32)}), toFloat64({{ end }}if(reported < 2 OR 3 * (reported - 1) > 2 * (last_minute - first_minute), 1,
                (distances[arrayFirstIndex(place -> place > intDiv(reported - 2, 2), places)].1 + distances[arrayFirstIndex(place -> place > intDiv(reported - 1, 2), places)].1) / 2){{ if .Expected }})){{ end }} AS gap
        FROM
        (
            SELECT
                server_id,
                hour AS at,
                argMaxMerge(max_players_last) AS cell_capacity,
                sum(uptime_s_count) + max(length(boots)) AS cell_starts,
                bitAnd(groupBitOr(minutes), if(hour < toDateTime({head_to:UInt32}, 'UTC'), {head_mask:UInt64}, toUInt64(18446744073709551615))) AS mask,
                toUInt32(0) AS day_first, toUInt32(0) AS day_last, toUInt16(0) AS day_reported, CAST([], 'Array(UInt16)') AS day_gaps, CAST([], 'Array(UInt16)') AS day_counts,
                toUInt64(0) AS cell_samples
            FROM corrosion.samples_hourly
            WHERE license_id = {license:UUID} AND {{ .Within "hours" "hour" }}
                {{- if .Head }} AND (hour >= toDateTime({head_to:UInt32}, 'UTC') OR server_id NOT IN (
{{ template "irregular" . }}
                )){{ end }}
                {{- if .Tail }} AND (hour < toDateTime({tail_hour:UInt32}, 'UTC') OR server_id NOT IN (
{{ template "late" . }}
                )){{ end }}
            GROUP BY server_id, hour
            HAVING mask != 0
            {{- if .Days }}
            UNION ALL
            SELECT
                server_id,
                day AS at,
                capacity AS cell_capacity,
                starts AS cell_starts,
                toUInt64(0) AS mask,
                first_minute AS day_first, last_minute AS day_last, reported AS day_reported, gaps AS day_gaps, gap_counts AS day_counts,
                samples AS cell_samples
            FROM corrosion.server_daily
            WHERE {{ template "day_range" . }} AND day >= toDateTime({counted_day:UInt32}, 'UTC')
            {{- end }}
            {{- if .Raw }}
            UNION ALL
            SELECT
                server_id,
                toStartOfHour(ts) AS at,
                argMax(max_players, {{ template "place" }}) AS cell_capacity,
                count(uptime_s) + count(boot) AS cell_starts,
                groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts))) AS mask,
                0, 0, 0, [], [], 0
            FROM corrosion.samples
            WHERE {{ template "raw_range" . }}
                AND (ts < fromUnixTimestamp64Milli({head_ms:Int64}, 'UTC')
                {{- if .Head }} AND server_id IN (
{{ template "irregular" . }}
                ){{ end }} OR ts >= fromUnixTimestamp64Milli({tail_ms:Int64}, 'UTC')
                {{- if .Tail }} AND server_id IN (
{{ template "late" . }}
                ){{ end }})
            GROUP BY server_id, at
            {{- end }}
        )
        GROUP BY server_id
    )
)
SETTINGS short_circuit_function_evaluation = 'force_enable'
{{- define "irregular" }}                    SELECT server_id
                    FROM corrosion.samples_hourly AS h
                    WHERE license_id = {license:UUID} AND hour >= toDateTime({head_hour:UInt32}, 'UTC') AND hour < toDateTime({head_to:UInt32}, 'UTC')
                    GROUP BY server_id
                    HAVING sum(h.max_players_count) NOT IN (0, sum(h.samples)) OR sum(h.uptime_s_count) != sum(h.samples) AND (sum(h.uptime_s_count) > 0 OR max(length(h.boots)) > 0)
{{- end }}
{{- define "late" }}                    SELECT server_id
                    FROM corrosion.samples
                    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({tail_end_ms:Int64}, 'UTC')
                    GROUP BY server_id
{{- end }}
{{- /* The sets of days that were found true; a set is what a shard computed at once. */ -}}
{{- define "day_range" -}}
license_id = {license:UUID} AND day >= toDateTime({days_from:UInt32}, 'UTC') AND day < toDateTime({days_to:UInt32}, 'UTC')
                AND toUnixTimestamp64Milli(built_at) = transform(toUInt64(toUnixTimestamp(day)) * 1000 + shardNum(), {days:Array(UInt64)}, {builds:Array(Int64)}, toInt64(0))
{{- end }}
