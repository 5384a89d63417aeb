{{- /* Where the license's own rollups may not be read: hours whose live rows count other samples than the servers' hours do, and
minutes and hours whose totals were computed from other samples than are counted now. ms since the epoch. */ -}}
SELECT
    toUInt64(sum(counted)) AS samples,
    groupArrayIf(millis, at + toIntervalHour(1) > toDateTime({body_from:UInt32}, 'UTC') AND minutely != counted AND checked) AS minutely_hours,
    groupArrayIf(millis, at < toDateTime({hour_to:UInt32}, 'UTC') AND hourly != counted AND checked) AS hourly_hours,
    (
        SELECT groupArray(toInt64(toUnixTimestamp(minute)) * 1000)
        FROM
        (
            SELECT minute, sum(m.samples) AS live
            FROM corrosion.license_minutely AS m
            WHERE license_id = {license:UUID} AND minute >= toDateTime({body_from:UInt32}, 'UTC') AND minute < toDateTime({body_to:UInt32}, 'UTC')
            GROUP BY minute
        ) AS now
        LEFT ANTI JOIN
        (
            SELECT minute, argMax(t.samples, built_at) AS live
            FROM corrosion.license_minutely_totals AS t
            WHERE license_id = {license:UUID} AND minute >= toDateTime({body_from:UInt32}, 'UTC') AND minute < toDateTime({body_to:UInt32}, 'UTC')
            GROUP BY minute
        ) AS built USING (minute, live)
    ) AS total_minutes,
    (
        SELECT groupArray(toInt64(toUnixTimestamp(hour)) * 1000)
        FROM
        (
            SELECT hour, sum(l.samples) AS live
            FROM corrosion.license_hourly AS l
            WHERE {{ template "hour_range" . }}
            GROUP BY hour
        ) AS now
        LEFT ANTI JOIN
        (
            SELECT hour, argMax(t.samples, built_at) AS live
            FROM corrosion.license_hourly_totals AS t
            WHERE {{ template "hour_range" . }}
            GROUP BY hour
        ) AS built USING (hour, live)
    ) AS total_hours
FROM
(
    SELECT at, toInt64(toUnixTimestamp(at)) * 1000 AS millis, at >= toDateTime({check_from:UInt32}, 'UTC') AS checked, sum(a) AS counted, sum(b) AS minutely, sum(c) AS hourly
    FROM
    (
        SELECT hour AS at, toInt64(sum(s.samples)) AS a, 0 AS b, 0 AS c
        FROM corrosion.samples_hourly AS s
        WHERE license_id = {license:UUID} AND hour >= toDateTime({check_from:UInt32}, 'UTC') AND hour < toDateTime({check_to:UInt32}, 'UTC')
        GROUP BY at
        UNION ALL
        SELECT toStartOfHour(minute) AS at, 0, toInt64(sum(m.samples)), 0
        FROM corrosion.license_minutely AS m
        WHERE license_id = {license:UUID} AND minute >= toDateTime({check_from:UInt32}, 'UTC') AND minute < toDateTime({check_to:UInt32}, 'UTC')
        GROUP BY at
        UNION ALL
        SELECT hour AS at, 0, 0, toInt64(sum(l.samples))
        FROM corrosion.license_hourly AS l
        WHERE license_id = {license:UUID} AND hour >= toDateTime({check_from:UInt32}, 'UTC') AND hour < toDateTime({check_to:UInt32}, 'UTC')
        GROUP BY at
    )
    GROUP BY at
)
