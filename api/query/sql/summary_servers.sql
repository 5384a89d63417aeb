{{- /* What each server's hours keep exactly, with raw for the hours that the range cuts. A server whose reporting minutes
are mostly more than one apart is judged by the median gap, and one whose interval is written down by that: its slots are the
span over the gap. */ -}}
SELECT
    {{ if .Archived }}countIf(server_id NOT IN {archived:Array(String)}){{ else }}count(){{ end }} AS reporting,
    sum(server_samples) AS samples,
    CAST(sum(server_capacity), 'Nullable(Float64)') AS capacity,
    CAST(if(sum(fps_counts) = 0, NULL, sum(fps_sums) / sum(fps_counts)), 'Nullable(Float64)') AS fps_avg,
    CAST(min(fps_mins), 'Nullable(Float64)') AS fps_min,
    CAST(if(sum(frame_ms_counts) = 0, NULL, sum(frame_ms_sums) / sum(frame_ms_counts)), 'Nullable(Float64)') AS frame_ms_avg,
    CAST(if(sum(entities_counts) = 0, NULL, sum(entities_sums) / sum(entities_counts)), 'Nullable(Float64)') AS entities_avg,
    CAST(max(entities_maxs), 'Nullable(Float64)') AS entities_max,
    CAST(if(sum(memory_mb_counts) = 0, NULL, sum(memory_mb_sums) / sum(memory_mb_counts)), 'Nullable(Float64)') AS memory_mb_avg,
    CAST(max(memory_mb_maxs), 'Nullable(Float64)') AS memory_mb_max,
    CAST(if(sum(cpu_percent_counts) = 0, NULL, sum(cpu_percent_sums) / sum(cpu_percent_counts)), 'Nullable(Float64)') AS cpu_percent_avg,
    CAST(max(cpu_percent_maxs), 'Nullable(Float64)') AS cpu_percent_max,
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
            sum(cell_samples) AS server_samples,
            argMax(cell_capacity, hour) AS server_capacity,
            sum(cell_starts) AS server_starts,
            {{- range .Columns }}
            sum(cell_{{ .Name }}_sum) AS {{ .Name }}_sums, sum(cell_{{ .Name }}_count) AS {{ .Name }}_counts, min(cell_{{ .Name }}_min) AS {{ .Name }}_mins, max(cell_{{ .Name }}_max) AS {{ .Name }}_maxs,
            {{- end }}
            arraySort(groupArray((toInt64(intDiv(toUnixTimestamp(hour), 60)), mask))) AS hours,
            sum(bitCount(mask)) AS reported,
            hours[1].1 + bitPositionsToArray(hours[1].2)[1] AS first_minute,
            hours[-1].1 + bitPositionsToArray(hours[-1].2)[-1] AS last_minute,
            {{ if .Expected }}transform(toString(server_id), {paced:Array(String)}, arrayMap(s -> s / 60, {paces:Array(UInt32)}), toFloat64({{ end }}if(reported < 2 OR 3 * (reported - 1) > 2 * (last_minute - first_minute), 1,
                arrayReduce('quantileExactInclusive(0.5)', arrayPopFront(arrayDifference(
                    arrayFlatten(arrayMap(h -> arrayMap(minute -> h.1 + minute, bitPositionsToArray(h.2)), hours)))))){{ if .Expected }})){{ end }} AS gap
        FROM
        (
            SELECT
                server_id,
                hour,
                sum(samples) AS cell_samples,
                argMaxMerge(max_players_last) AS cell_capacity,
                sum(uptime_s_count) + sum(length(boots)) AS cell_starts,
                {{- range .Columns }}
                toFloat64(sum({{ .Name }}_sum)) AS cell_{{ .Name }}_sum, sum({{ .Name }}_count) AS cell_{{ .Name }}_count, min({{ .Name }}_min) AS cell_{{ .Name }}_min, max({{ .Name }}_max) AS cell_{{ .Name }}_max,
                {{- end }}
                groupBitOr(minutes) AS mask
            FROM corrosion.samples_hourly
            WHERE {{ template "hour_range" . }}
            GROUP BY server_id, hour
            UNION ALL
            SELECT
                server_id,
                toStartOfHour(ts) AS hour,
                count() AS cell_samples,
                argMax(max_players, {{ template "place" }}) AS cell_capacity,
                count(uptime_s) + count(boot) AS cell_starts,
                {{- range .Columns }}
                toFloat64(ifNull(sum({{ .Value }}), 0)) AS cell_{{ .Name }}_sum, count({{ .Value }}) AS cell_{{ .Name }}_count, min({{ .Value }}) AS cell_{{ .Name }}_min, max({{ .Value }}) AS cell_{{ .Name }}_max,
                {{- end }}
                groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts))) AS mask
            FROM corrosion.samples
            WHERE {{ template "raw_edges" . }}
            GROUP BY server_id, hour
        )
        GROUP BY server_id
    )
)
{{- define "raw_edges" -}}
{{ template "raw_range" . }}
                AND (ts < fromUnixTimestamp64Milli({head_to:Int64}, 'UTC') OR ts >= fromUnixTimestamp64Milli({tail_from:Int64}, 'UTC'))
{{- end }}
