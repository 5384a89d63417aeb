-- hour_totals agg=avg group_by= step=2h0m0s
SELECT
    bucket,
    '' AS server,
    if(sum(minutes0) = 0, NULL, sum(weighted0) / sum(minutes0)) AS v0
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        sum(mean0 * bitCount(mask0)) AS weighted0, toUInt64(bitCount(groupBitOr(mask0))) AS minutes0
    FROM
    (
        SELECT
            server_id,
            hour,
            if(sum(players_count) = 0, 0, sum(players_sum) / sum(players_count)) AS mean0,
            if(sum(players_count) = 0, 0, groupBitOr(minutes)) AS mask0
        FROM corrosion.samples_hourly
        WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
        GROUP BY server_id, hour
    )
    GROUP BY hour
    UNION ALL
    SELECT
        intDiv(slot - {origin:Int64}, {step:Int64}) AS bucket,
        toFloat64(ifNull(sum(total0), 0)) AS weighted0, toUInt64(count(total0)) AS minutes0
    FROM
    (
    SELECT
        slot,
        sum(mean0) AS total0
    FROM
    (
        SELECT
            cityHash64(server_id) AS server,
            intDiv(toUnixTimestamp64Milli(ts), 60000) * 60000 AS slot,
            avg(players) AS mean0
        FROM corrosion.samples
        WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
        GROUP BY server, slot
    )
    GROUP BY slot
    )
    GROUP BY bucket
)
GROUP BY bucket


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=avg group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(if(sum(count1) = 0, NULL, sum(sum1) / sum(count1)), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        toFloat64(sum(fps_sum)) AS sum1, sum(fps_count) AS count1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        toFloat64(ifNull(sum(fps), 0)) AS sum1, count(fps) AS count1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=avg group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(if(sum(count2) = 0, NULL, sum(sum2) / sum(count2)), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        sumIf(sum, metric = {m2:String}) AS sum2, sumIf(count, metric = {m2:String}) AS count2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        toFloat64(ifNull(sum(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 0)) AS sum2, count(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)) AS count2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_samples agg=avg group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(if(sum(count0) = 0, NULL, sum(sum0) / sum(count0)), 'Nullable(Float64)') AS v0,
    CAST(if(sum(count1) = 0, NULL, sum(sum1) / sum(count1)), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        toFloat64(sum(players_sum)) AS sum0, sum(players_count) AS count0,
        toFloat64(sum(fps_sum)) AS sum1, sum(fps_count) AS count1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        toFloat64(ifNull(sum(players), 0)) AS sum0, count(players) AS count0,
        toFloat64(ifNull(sum(fps), 0)) AS sum1, count(fps) AS count1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=avg group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(if(sum(count2) = 0, NULL, sum(sum2) / sum(count2)), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        sumIf(sum, metric = {m2:String}) AS sum2, sumIf(count, metric = {m2:String}) AS count2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        toFloat64(ifNull(sum(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 0)) AS sum2, count(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)) AS count2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_servers agg=min group_by= step=2h0m0s
SELECT
    bucket,
    '' AS server,
    sum(cell0) AS v0,
    greatest(count(cell0)) AS servers
FROM
(
    SELECT
        server_id,
        bucket,
        min(part0) AS cell0
    FROM
    (
        SELECT
            server_id,
            intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
            CAST(min(players_min), 'Nullable(Float64)') AS part0,
            0 AS later
        FROM corrosion.samples_hourly
        WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
        GROUP BY server_id, bucket
        UNION ALL
        SELECT
            server_id,
            intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
            CAST(min(players), 'Nullable(Float64)') AS part0,
            1 AS later
        FROM corrosion.samples
        WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
        GROUP BY server_id, bucket
    )
    GROUP BY server_id, bucket
)
GROUP BY bucket


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=min group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(min(cell1), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(min(fps_min), 'Nullable(Float64)') AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(min(fps), 'Nullable(Float64)') AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=min group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(min(cell2), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        minIf(toNullable(min), metric = {m2:String}) AS cell2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(min(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS cell2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_samples agg=min group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(min(cell0), 'Nullable(Float64)') AS v0,
    CAST(min(cell1), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(min(players_min), 'Nullable(Float64)') AS cell0,
        CAST(min(fps_min), 'Nullable(Float64)') AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(min(players), 'Nullable(Float64)') AS cell0,
        CAST(min(fps), 'Nullable(Float64)') AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=min group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(min(cell2), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        minIf(toNullable(min), metric = {m2:String}) AS cell2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(min(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS cell2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_servers agg=max group_by= step=2h0m0s
SELECT
    bucket,
    '' AS server,
    sum(cell0) AS v0,
    greatest(count(cell0)) AS servers
FROM
(
    SELECT
        server_id,
        bucket,
        max(part0) AS cell0
    FROM
    (
        SELECT
            server_id,
            intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
            CAST(max(players_max), 'Nullable(Float64)') AS part0,
            0 AS later
        FROM corrosion.samples_hourly
        WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
        GROUP BY server_id, bucket
        UNION ALL
        SELECT
            server_id,
            intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
            CAST(max(players), 'Nullable(Float64)') AS part0,
            1 AS later
        FROM corrosion.samples
        WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
        GROUP BY server_id, bucket
    )
    GROUP BY server_id, bucket
)
GROUP BY bucket


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=max group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(max(cell1), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(max(fps_max), 'Nullable(Float64)') AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(max(fps), 'Nullable(Float64)') AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=max group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(max(cell2), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        maxIf(toNullable(max), metric = {m2:String}) AS cell2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(max(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS cell2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_samples agg=max group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(max(cell0), 'Nullable(Float64)') AS v0,
    CAST(max(cell1), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(max(players_max), 'Nullable(Float64)') AS cell0,
        CAST(max(fps_max), 'Nullable(Float64)') AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(max(players), 'Nullable(Float64)') AS cell0,
        CAST(max(fps), 'Nullable(Float64)') AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=max group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(max(cell2), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        maxIf(toNullable(max), metric = {m2:String}) AS cell2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(max(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS cell2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_samples agg=sum group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(if(sum(count0) = 0, NULL, sum(sum0)), 'Nullable(Float64)') AS v0,
    CAST(if(sum(count1) = 0, NULL, sum(sum1)), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        toFloat64(sum(players_sum)) AS sum0, sum(players_count) AS count0,
        toFloat64(sum(fps_sum)) AS sum1, sum(fps_count) AS count1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        toFloat64(ifNull(sum(players), 0)) AS sum0, count(players) AS count0,
        toFloat64(ifNull(sum(fps), 0)) AS sum1, count(fps) AS count1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=sum group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(if(sum(count2) = 0, NULL, sum(sum2)), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        sumIf(sum, metric = {m2:String}) AS sum2, sumIf(count, metric = {m2:String}) AS count2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        toFloat64(ifNull(sum(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 0)) AS sum2, count(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)) AS count2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_samples agg=sum group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(if(sum(count0) = 0, NULL, sum(sum0)), 'Nullable(Float64)') AS v0,
    CAST(if(sum(count1) = 0, NULL, sum(sum1)), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        toFloat64(sum(players_sum)) AS sum0, sum(players_count) AS count0,
        toFloat64(sum(fps_sum)) AS sum1, sum(fps_count) AS count1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        toFloat64(ifNull(sum(players), 0)) AS sum0, count(players) AS count0,
        toFloat64(ifNull(sum(fps), 0)) AS sum1, count(fps) AS count1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=sum group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(if(sum(count2) = 0, NULL, sum(sum2)), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        sumIf(sum, metric = {m2:String}) AS sum2, sumIf(count, metric = {m2:String}) AS count2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        toFloat64(ifNull(sum(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 0)) AS sum2, count(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)) AS count2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_servers agg=last group_by= step=2h0m0s
SELECT
    bucket,
    '' AS server,
    sum(cell0) AS v0,
    greatest(count(cell0)) AS servers
FROM
(
    SELECT
        server_id,
        bucket,
        argMax(part0, later) AS cell0
    FROM
    (
        SELECT
            server_id,
            intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
            CAST(argMaxMerge(players_last), 'Nullable(Float64)') AS part0,
            0 AS later
        FROM corrosion.samples_hourly
        WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
        GROUP BY server_id, bucket
        UNION ALL
        SELECT
            server_id,
            intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
            CAST(argMax(players, (ts, seq, idx)), 'Nullable(Float64)') AS part0,
            1 AS later
        FROM corrosion.samples
        WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
        GROUP BY server_id, bucket
    )
    GROUP BY server_id, bucket
)
GROUP BY bucket


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=last group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(argMax(cell1, later), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(argMaxMerge(fps_last), 'Nullable(Float64)') AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(argMax(fps, (ts, seq, idx)), 'Nullable(Float64)') AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=last group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(argMax(cell2, later), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        if(countIf(metric = {m2:String}) = 0, NULL, argMaxMergeIf(last, metric = {m2:String})) AS cell2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        CAST(argMax(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL), (ts, seq, idx)), 'Nullable(Float64)') AS cell2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_samples agg=last group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(argMax(cell0, later), 'Nullable(Float64)') AS v0,
    CAST(argMax(cell1, later), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(argMaxMerge(players_last), 'Nullable(Float64)') AS cell0,
        CAST(argMaxMerge(fps_last), 'Nullable(Float64)') AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(argMax(players, (ts, seq, idx)), 'Nullable(Float64)') AS cell0,
        CAST(argMax(fps, (ts, seq, idx)), 'Nullable(Float64)') AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=last group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(argMax(cell2, later), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        if(countIf(metric = {m2:String}) = 0, NULL, argMaxMergeIf(last, metric = {m2:String})) AS cell2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        CAST(argMax(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL), (ts, seq, idx)), 'Nullable(Float64)') AS cell2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_samples agg=p05 group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell0)[1], 'Nullable(Float64)') AS v0,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell1)[1], 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS cell0,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS cell0,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=p05 group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell0)[1], 'Nullable(Float64)') AS v0,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell1)[1], 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS cell0,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS cell0,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=p50 group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell0)[2], 'Nullable(Float64)') AS v0,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell1)[2], 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS cell0,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS cell0,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=p50 group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell0)[2], 'Nullable(Float64)') AS v0,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell1)[2], 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS cell0,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS cell0,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=p95 group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell0)[3], 'Nullable(Float64)') AS v0,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell1)[3], 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS cell0,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS cell0,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=p95 group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell0)[3], 'Nullable(Float64)') AS v0,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell1)[3], 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS cell0,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS cell0,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=p99 group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell0)[4], 'Nullable(Float64)') AS v0,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell1)[4], 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS cell0,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS cell0,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=p99 group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell0)[4], 'Nullable(Float64)') AS v0,
    CAST(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(cell1)[4], 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS cell0,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS cell1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps) AS cell0,
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms) AS cell1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_samples agg=count group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(nullIf(sum(count0), 0), 'Nullable(Float64)') AS v0,
    CAST(nullIf(sum(count1), 0), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        sum(players_count) AS count0,
        sum(fps_count) AS count1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        count(players) AS count0,
        count(fps) AS count1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=count group_by= step=2h0m0s
SELECT
    bucket,
    server,
    CAST(nullIf(sum(count2), 0), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        sumIf(count, metric = {m2:String}) AS count2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        '' AS server,
        count(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)) AS count2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

-- hour_samples agg=count group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(nullIf(sum(count0), 0), 'Nullable(Float64)') AS v0,
    CAST(nullIf(sum(count1), 0), 'Nullable(Float64)') AS v1
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        sum(players_count) AS count0,
        sum(fps_count) AS count1,
        0 AS later
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        count(players) AS count0,
        count(fps) AS count1,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000

-- hour_metrics agg=count group_by=server step=2h0m0s
SELECT
    bucket,
    server,
    CAST(nullIf(sum(count2), 0), 'Nullable(Float64)') AS v2
FROM
(
    SELECT
        intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        sumIf(count, metric = {m2:String}) AS count2,
        0 AS later
    FROM corrosion.metrics_hourly
    WHERE license_id = {license:UUID} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC') AND metric IN ({m2:String})
    GROUP BY bucket, server
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        server_id AS server,
        count(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)) AS count2,
        1 AS later
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY bucket, server
)
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773136800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   origin = 1770544800000
--   step = 7200000
--   m2 = ping/p95

