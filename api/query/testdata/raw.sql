-- raw_totals agg=avg group_by= step=5m0s
SELECT
    intDiv(slot - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(avg(total0), 'Nullable(Float64)') AS v0
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


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000

-- raw_samples agg=avg group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(avg(fps), 'Nullable(Float64)') AS v1,
    CAST(avg(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=avg group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(avg(players), 'Nullable(Float64)') AS v0,
    CAST(avg(fps), 'Nullable(Float64)') AS v1,
    CAST(avg(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_totals agg=min group_by= step=5m0s
SELECT
    intDiv(slot - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(min(total0), 'Nullable(Float64)') AS v0
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


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000

-- raw_samples agg=min group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(min(fps), 'Nullable(Float64)') AS v1,
    CAST(min(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=min group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(min(players), 'Nullable(Float64)') AS v0,
    CAST(min(fps), 'Nullable(Float64)') AS v1,
    CAST(min(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_totals agg=max group_by= step=5m0s
SELECT
    intDiv(slot - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(max(total0), 'Nullable(Float64)') AS v0
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


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000

-- raw_samples agg=max group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(max(fps), 'Nullable(Float64)') AS v1,
    CAST(max(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=max group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(max(players), 'Nullable(Float64)') AS v0,
    CAST(max(fps), 'Nullable(Float64)') AS v1,
    CAST(max(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=sum group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(sum(players), 'Nullable(Float64)') AS v0,
    CAST(sum(fps), 'Nullable(Float64)') AS v1,
    CAST(sum(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=sum group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(sum(players), 'Nullable(Float64)') AS v0,
    CAST(sum(fps), 'Nullable(Float64)') AS v1,
    CAST(sum(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_last agg=last group_by= step=5m0s
SELECT
    bucket,
    '' AS server,
    CAST(sum(last0), 'Nullable(Float64)') AS v0
FROM
(
    SELECT
        server_id,
        intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
        argMax(players, (ts, seq, idx)) AS last0
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
    GROUP BY server_id, bucket
)
GROUP BY bucket


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000

-- raw_samples agg=last group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(argMax(fps, (ts, seq, idx)), 'Nullable(Float64)') AS v1,
    CAST(argMax(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL), (ts, seq, idx)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=last group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(argMax(players, (ts, seq, idx)), 'Nullable(Float64)') AS v0,
    CAST(argMax(fps, (ts, seq, idx)), 'Nullable(Float64)') AS v1,
    CAST(argMax(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL), (ts, seq, idx)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_totals agg=p05 group_by= step=5m0s
SELECT
    intDiv(slot - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileExactInclusive(0.05)(total0), 'Nullable(Float64)') AS v0
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


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000

-- raw_samples agg=p05 group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileExactInclusive(0.05)(fps), 'Nullable(Float64)') AS v1,
    CAST(quantileExactInclusive(0.05)(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=p05 group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(quantileExactInclusive(0.05)(players), 'Nullable(Float64)') AS v0,
    CAST(quantileExactInclusive(0.05)(fps), 'Nullable(Float64)') AS v1,
    CAST(quantileExactInclusive(0.05)(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_totals agg=p50 group_by= step=5m0s
SELECT
    intDiv(slot - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileExactInclusive(0.50)(total0), 'Nullable(Float64)') AS v0
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


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000

-- raw_samples agg=p50 group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileExactInclusive(0.50)(fps), 'Nullable(Float64)') AS v1,
    CAST(quantileExactInclusive(0.50)(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=p50 group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(quantileExactInclusive(0.50)(players), 'Nullable(Float64)') AS v0,
    CAST(quantileExactInclusive(0.50)(fps), 'Nullable(Float64)') AS v1,
    CAST(quantileExactInclusive(0.50)(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_totals agg=p95 group_by= step=5m0s
SELECT
    intDiv(slot - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileExactInclusive(0.95)(total0), 'Nullable(Float64)') AS v0
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


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000

-- raw_samples agg=p95 group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileExactInclusive(0.95)(fps), 'Nullable(Float64)') AS v1,
    CAST(quantileExactInclusive(0.95)(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=p95 group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(quantileExactInclusive(0.95)(players), 'Nullable(Float64)') AS v0,
    CAST(quantileExactInclusive(0.95)(fps), 'Nullable(Float64)') AS v1,
    CAST(quantileExactInclusive(0.95)(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_totals agg=p99 group_by= step=5m0s
SELECT
    intDiv(slot - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileExactInclusive(0.99)(total0), 'Nullable(Float64)') AS v0
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


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000

-- raw_samples agg=p99 group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileExactInclusive(0.99)(fps), 'Nullable(Float64)') AS v1,
    CAST(quantileExactInclusive(0.99)(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=p99 group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(quantileExactInclusive(0.99)(players), 'Nullable(Float64)') AS v0,
    CAST(quantileExactInclusive(0.99)(fps), 'Nullable(Float64)') AS v1,
    CAST(quantileExactInclusive(0.99)(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=count group_by= step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(nullIf(count(players), 0), 'Nullable(Float64)') AS v0,
    CAST(nullIf(count(fps), 0), 'Nullable(Float64)') AS v1,
    CAST(nullIf(count(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 0), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

-- raw_samples agg=count group_by=server step=5m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    server_id AS server,
    CAST(nullIf(count(players), 0), 'Nullable(Float64)') AS v0,
    CAST(nullIf(count(fps), 0), 'Nullable(Float64)') AS v1,
    CAST(nullIf(count(if(mapContains(metrics, {m2:String}), metrics[{m2:String}], NULL)), 0), 'Nullable(Float64)') AS v2
FROM corrosion.samples
WHERE license_id = {license:UUID} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773052500000
--   step = 300000
--   m2 = ping/p95

