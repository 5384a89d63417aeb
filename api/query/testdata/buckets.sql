-- raw_totals agg=max group_by= step=10s
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
            {origin:Int64} + intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) * {step:Int64} AS slot,
            avg(players) AS mean0
        FROM corrosion.samples
        WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
        GROUP BY server, slot
    )
    GROUP BY slot
)
GROUP BY bucket


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1773135432000
--   raw_to = 1773139032000
--   origin = 1773135430000
--   step = 10000

-- raw_totals agg=max group_by= step=1m30s
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
            greatest(intDiv(toUnixTimestamp64Milli(ts), 60000) * 60000, {origin:Int64} + intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) * {step:Int64}) AS slot,
            avg(players) AS mean0
        FROM corrosion.samples
        WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
        GROUP BY server, slot
    )
    GROUP BY slot
)
GROUP BY bucket


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1773135432000
--   raw_to = 1773139032000
--   origin = 1773135360000
--   step = 90000

-- raw_totals agg=max group_by= step=1h30m0s
SELECT
    roundDown(slot, {edges:Array(Int64)}) AS bucket,
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
        WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
        GROUP BY server, slot
    )
    GROUP BY slot
)
GROUP BY bucket


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1772841600000
--   raw_to = 1773014400000
--   edges = [1772838000000 1772843400000 1772848800000 1772854200000 1772859600000 1772865000000 1772870400000 1772875800000 1772881200000 1772886600000 1772892000000 1772897400000 1772902800000 1772908200000 1772913600000 1772919000000 1772924400000 1772929800000 1772935200000 1772940600000 1772946000000 1772951400000 1772953200000 1772958600000 1772964000000 1772969400000 1772974800000 1772980200000 1772985600000 1772991000000 1772996400000 1773001800000 1773007200000 1773012600000 1773018000000]

-- raw_samples agg=p95 group_by= step=1h30m0s
SELECT
    intDiv(toUnixTimestamp64Milli(ts) - {origin:Int64}, {step:Int64}) AS bucket,
    '' AS server,
    CAST(quantileBFloat16(0.95)(fps), 'Nullable(Float64)') AS v0
FROM corrosion.samples
WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
GROUP BY bucket, server


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1773052632000
--   raw_to = 1773139032000
--   origin = 1773050400000
--   step = 5400000

