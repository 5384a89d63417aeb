{{- /* The largest one-minute total of players in whole hours before raw. An hour that was not written, or not from all of its
samples, is missing. */ -}}
SELECT
    CAST(max(peak_players), 'Nullable(Float64)') AS peak,
    toInt64(ifNull(argMax(toUnixTimestamp(peak_at), (peak_players, -toInt64(toUnixTimestamp(peak_at)))), 0)) * 1000 AS peak_at,
    countIf(written != live) AS missing
FROM
(
    SELECT hour, sum(l.samples) AS live
    FROM corrosion.license_hourly AS l
    WHERE {{ template "hour_range" . }}
    GROUP BY hour
) AS hours
LEFT JOIN
(
    SELECT hour, peak_players, peak_at, n.samples AS written
    FROM corrosion.network_hourly AS n
    WHERE {{ template "hour_range" . }}
) AS network USING (hour)
