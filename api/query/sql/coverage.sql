{{- /* Where the license's own rollups may not be read: hours whose live rows count other samples than the servers' hours do, and
minutes and hours whose totals were computed from other samples than are counted now. And the servers' days that were computed from
what is counted now. ms since the epoch. What was computed is kept by each shard of a cluster for its own servers; a single server's
shardNum is 0. A day's marks say what was computed when, and by which shard: ms * 1000 + shard. */ -}}
WITH
    {{- if .Days }}
    (
        SELECT arraySort(groupArray((toInt64(toUnixTimestamp(day)) * 1000, marks, n)))
        FROM
        (
            SELECT toStartOfDay(hour) AS day, sum(l.samples) AS n, sum(l.players_sum) + sum(l.uptime_s_sum) AS sums
            FROM corrosion.license_hourly AS l
            WHERE license_id = {license:UUID} AND hour >= toDateTime({days_from:UInt32}, 'UTC') AND hour < toDateTime({days_to:UInt32}, 'UTC')
            GROUP BY day
        ) AS now
        INNER JOIN
        (
            SELECT day, sum(shard_n) AS n, sum(shard_sums) AS sums, arraySort(groupArray(toInt64(toUnixTimestamp64Milli(newest)) * 1000 + shard)) AS marks
            FROM
            (
                SELECT day, shard, argMax(each_n, built_at) AS shard_n, argMax(each_sums, built_at) AS shard_sums, max(built_at) AS newest
                FROM
                (
                    SELECT day, shardNum() AS shard, built_at, sum(s.samples) AS each_n, sum(s.checksum) AS each_sums
                    FROM corrosion.server_daily AS s
                    WHERE license_id = {license:UUID} AND day >= toDateTime({days_from:UInt32}, 'UTC') AND day < toDateTime({days_to:UInt32}, 'UTC')
                    GROUP BY day, shard, built_at
                )
                GROUP BY day, shard
            )
            GROUP BY day
        ) AS built USING (day, n, sums)
    ) AS true_days
    {{- else }}
    CAST([], 'Array(Tuple(Int64, Array(Int64), UInt64))') AS true_days
    {{- end }}
SELECT
    toUInt64(sum(counted)) AS samples,
    groupArrayIf(millis, at + toIntervalHour(1) > toDateTime({body_from:UInt32}, 'UTC') AND minutely != counted AND checked) AS minutely_hours,
    groupArrayIf(millis, hourly != counted AND checked) AS hourly_hours,
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
            SELECT minute, sum(of_shard) AS live
            FROM
            (
                SELECT minute, shardNum() AS shard, argMax(t.samples, built_at) AS of_shard
                FROM corrosion.license_minutely_totals AS t
                WHERE license_id = {license:UUID} AND minute >= toDateTime({body_from:UInt32}, 'UTC') AND minute < toDateTime({body_to:UInt32}, 'UTC')
                GROUP BY minute, shard
            )
            GROUP BY minute
        ) AS built USING (minute, live)
    ) AS total_minutes,
    {{- if .Hours }}
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
            SELECT hour, sum(of_shard) AS live
            FROM
            (
                SELECT hour, shardNum() AS shard, argMax(t.samples, built_at) AS of_shard
                FROM corrosion.license_hourly_totals AS t
                WHERE {{ template "hour_range" . }}
                GROUP BY hour, shard
            )
            GROUP BY hour
        ) AS built USING (hour, live)
    ) AS total_hours,
    {{- else }}
    CAST([], 'Array(Int64)') AS total_hours,
    {{- end }}
    arrayMap(one -> one.1, true_days) AS days,
    arrayMap(one -> one.2, true_days) AS builds,
    arrayMap(one -> one.3, true_days) AS day_samples
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
