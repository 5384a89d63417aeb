{{- /* One-minute totals of players: from raw where it is, from the hours' weighted means before. */ -}}
SELECT
    CAST(if(sum(minutes) = 0, NULL, sum(weighted) / sum(minutes)), 'Nullable(Float64)') AS avg,
    CAST(max(highest), 'Nullable(Float64)') AS peak,
    toInt64(ifNull(argMax(highest_at, highest), 0)) AS peak_at
FROM
(
    SELECT
        toFloat64(ifNull(sum(total0), 0)) AS weighted,
        toUInt64(count(total0)) AS minutes,
        max(total0) AS highest,
        argMax(slot, (total0, -slot)) AS highest_at
    FROM
    (
{{ template "minute_totals" . }}
    )
    {{- if .Mixed }}
    UNION ALL
    SELECT sum(weighted0), sum(minutes0), NULL, 0
    FROM
    (
{{ template "hour_weights" . }}
    )
    {{- end }}
)
