-- summary_now
SELECT
    (
        SELECT CAST(sum(last), 'Nullable(Float64)')
        FROM
        (
            SELECT argMax(players, (ts, seq, idx)) AS last
            FROM corrosion.samples
            WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
            GROUP BY server_id
        )
    ) AS current,
    toUInt64(ifNull((
        SELECT uniqExact(server_id)
        FROM corrosion.samples_hourly
        WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)}
    ), 0)) AS total


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1773138732000
--   raw_to = 1773139032001

-- summary_servers
SELECT
    count() AS reporting,
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
            sum(cell_fps_sum) AS fps_sums, sum(cell_fps_count) AS fps_counts, min(cell_fps_min) AS fps_mins, max(cell_fps_max) AS fps_maxs,
            sum(cell_frame_ms_sum) AS frame_ms_sums, sum(cell_frame_ms_count) AS frame_ms_counts, min(cell_frame_ms_min) AS frame_ms_mins, max(cell_frame_ms_max) AS frame_ms_maxs,
            sum(cell_entities_sum) AS entities_sums, sum(cell_entities_count) AS entities_counts, min(cell_entities_min) AS entities_mins, max(cell_entities_max) AS entities_maxs,
            sum(cell_memory_mb_sum) AS memory_mb_sums, sum(cell_memory_mb_count) AS memory_mb_counts, min(cell_memory_mb_min) AS memory_mb_mins, max(cell_memory_mb_max) AS memory_mb_maxs,
            sum(cell_cpu_percent_sum) AS cpu_percent_sums, sum(cell_cpu_percent_count) AS cpu_percent_counts, min(cell_cpu_percent_min) AS cpu_percent_mins, max(cell_cpu_percent_max) AS cpu_percent_maxs,
            arraySort(groupArray((toInt64(intDiv(toUnixTimestamp(hour), 60)), mask))) AS hours,
            sum(bitCount(mask)) AS reported,
            hours[1].1 + bitPositionsToArray(hours[1].2)[1] AS first_minute,
            hours[-1].1 + bitPositionsToArray(hours[-1].2)[-1] AS last_minute,
            if(reported < 2 OR 3 * (reported - 1) > 2 * (last_minute - first_minute), 1,
                arrayReduce('quantileExactInclusive(0.5)', arrayPopFront(arrayDifference(
                    arrayFlatten(arrayMap(h -> arrayMap(minute -> h.1 + minute, bitPositionsToArray(h.2)), hours)))))) AS gap
        FROM
        (
            SELECT
                server_id,
                hour,
                sum(samples) AS cell_samples,
                argMaxMerge(max_players_last) AS cell_capacity,
                sum(uptime_s_count) + sum(length(boots)) AS cell_starts,
                toFloat64(sum(fps_sum)) AS cell_fps_sum, sum(fps_count) AS cell_fps_count, min(fps_min) AS cell_fps_min, max(fps_max) AS cell_fps_max,
                toFloat64(sum(frame_ms_sum)) AS cell_frame_ms_sum, sum(frame_ms_count) AS cell_frame_ms_count, min(frame_ms_min) AS cell_frame_ms_min, max(frame_ms_max) AS cell_frame_ms_max,
                toFloat64(sum(entities_sum)) AS cell_entities_sum, sum(entities_count) AS cell_entities_count, min(entities_min) AS cell_entities_min, max(entities_max) AS cell_entities_max,
                toFloat64(sum(memory_mb_sum)) AS cell_memory_mb_sum, sum(memory_mb_count) AS cell_memory_mb_count, min(memory_mb_min) AS cell_memory_mb_min, max(memory_mb_max) AS cell_memory_mb_max,
                toFloat64(sum(cpu_percent_sum)) AS cell_cpu_percent_sum, sum(cpu_percent_count) AS cell_cpu_percent_count, min(cpu_percent_min) AS cell_cpu_percent_min, max(cpu_percent_max) AS cell_cpu_percent_max,
                groupBitOr(minutes) AS mask
            FROM corrosion.samples_hourly
            WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
            GROUP BY server_id, hour
            UNION ALL
            SELECT
                server_id,
                toStartOfHour(ts) AS hour,
                count() AS cell_samples,
                argMax(max_players, (ts, seq, idx)) AS cell_capacity,
                count(uptime_s) + count(boot) AS cell_starts,
                toFloat64(ifNull(sum(fps), 0)) AS cell_fps_sum, count(fps) AS cell_fps_count, min(fps) AS cell_fps_min, max(fps) AS cell_fps_max,
                toFloat64(ifNull(sum(frame_ms), 0)) AS cell_frame_ms_sum, count(frame_ms) AS cell_frame_ms_count, min(frame_ms) AS cell_frame_ms_min, max(frame_ms) AS cell_frame_ms_max,
                toFloat64(ifNull(sum(entities), 0)) AS cell_entities_sum, count(entities) AS cell_entities_count, min(entities) AS cell_entities_min, max(entities) AS cell_entities_max,
                toFloat64(ifNull(sum(memory_mb), 0)) AS cell_memory_mb_sum, count(memory_mb) AS cell_memory_mb_count, min(memory_mb) AS cell_memory_mb_min, max(memory_mb) AS cell_memory_mb_max,
                toFloat64(ifNull(sum(cpu_percent), 0)) AS cell_cpu_percent_sum, count(cpu_percent) AS cell_cpu_percent_count, min(cpu_percent) AS cell_cpu_percent_min, max(cpu_percent) AS cell_cpu_percent_max,
                groupBitOr(bitShiftLeft(toUInt64(1), toMinute(ts))) AS mask
            FROM corrosion.samples
            WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
                AND (ts < fromUnixTimestamp64Milli({head_to:Int64}, 'UTC') OR ts >= fromUnixTimestamp64Milli({tail_from:Int64}, 'UTC'))
            GROUP BY server_id, hour
        )
        GROUP BY server_id
    )
)


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1770544800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   head_to = 1770544800000
--   tail_from = 1773136800000
--   end_minute = 29552318

-- summary_players
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
    UNION ALL
    SELECT sum(weighted0), sum(minutes0), NULL, 0
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
        WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
        GROUP BY server_id, hour
    )
    GROUP BY hour
    )
)


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1772535600000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1772535600
--   origin = 0
--   step = 3600000

-- summary_sketches
SELECT
    arraySlice(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_cell), 1, 2) AS fps,
    arraySlice(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(frame_ms_cell), 3, 2) AS frame_ms
FROM
(
    SELECT
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(fps_sketch) AS fps_cell,
        quantilesBFloat16MergeState(0.05, 0.5, 0.95, 0.99)(frame_ms_sketch) AS frame_ms_cell
    FROM corrosion.samples_hourly
    WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
    UNION ALL
    SELECT
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(fps),
        quantilesBFloat16State(0.05, 0.5, 0.95, 0.99)(frame_ms)
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
                AND (ts < fromUnixTimestamp64Milli({head_to:Int64}, 'UTC') OR ts >= fromUnixTimestamp64Milli({tail_from:Int64}, 'UTC'))
)


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1770544800000
--   raw_to = 1773139032000
--   hour_from = 1770544800
--   hour_to = 1773136800
--   head_to = 1770544800000
--   tail_from = 1773136800000

-- restarts_hours
SELECT
    toInt64(sum(greatest(toInt64(boot_changes), toInt64(start_changes)))) AS restarts
FROM
(
    SELECT
        greatest(toInt64(length(boots)) - 1, 0) + (notEmpty(boots) AND notEmpty(boots_before) AND NOT hasAny(boots, boots_before)) AS boot_changes,
        toInt64(arrayCount(step -> step > 1, arrayDifference(arrayMap(start -> toInt64(start), starts))))
            + (notEmpty(starts) AND notEmpty(starts_before) AND starts[1] > starts_before[-1] + 1) AS start_changes
    FROM
    (
        SELECT
            server_id,
            hour,
            boots,
            starts,
            lagInFrame(hour) OVER neighbours AS hour_before,
            lagInFrame(boots) OVER neighbours AS boots_before,
            lagInFrame(starts) OVER neighbours AS starts_before
        FROM
        (
            SELECT
                server_id,
                hour,
                groupUniqArrayArray(boots) AS boots,
                arraySort(groupUniqArrayArray(starts)) AS starts
            FROM corrosion.samples_hourly
            WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
            GROUP BY server_id, hour
        )
        WINDOW neighbours AS (PARTITION BY server_id ORDER BY hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WHERE hour >= toDateTime({counted_from:UInt32}, 'UTC')
)


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   hour_from = 1769940000
--   hour_to = 1772535600
--   counted_from = 1770544800

-- restarts_raw
SELECT
    toInt64(countIf(ts >= fromUnixTimestamp64Milli({counted_from_ms:Int64}, 'UTC') AND follows AND (boot != boot_before OR uptime_s < uptime_before))) AS restarts
FROM
(
    SELECT
        ts,
        boot,
        uptime_s,
        lagInFrame(1) OVER neighbours = 1 AS follows,
        lagInFrame(boot) OVER neighbours AS boot_before,
        lagInFrame(uptime_s) OVER neighbours AS uptime_before
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND ts >= fromUnixTimestamp64Milli({raw_from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({raw_to:Int64}, 'UTC')
        AND (server_id, toStartOfHour(ts)) IN
        (
            SELECT server_id, arrayJoin([hour, hour_before])
            FROM
            (
        SELECT
            server_id,
            hour,
            boots,
            starts,
            lagInFrame(hour) OVER neighbours AS hour_before,
            lagInFrame(boots) OVER neighbours AS boots_before,
            lagInFrame(starts) OVER neighbours AS starts_before
        FROM
        (
            SELECT
                server_id,
                hour,
                groupUniqArrayArray(boots) AS boots,
                arraySort(groupUniqArrayArray(starts)) AS starts
            FROM corrosion.samples_hourly
            WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')
            GROUP BY server_id, hour
        )
        WINDOW neighbours AS (PARTITION BY server_id ORDER BY hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
            )
            WHERE hour >= toDateTime({counted_from:UInt32}, 'UTC')
                AND (length(arrayDistinct(arrayConcat(boots, boots_before))) > 1 OR length(arrayDistinct(arrayConcat(starts, starts_before))) > 1)
        )
    WINDOW neighbours AS (PARTITION BY server_id ORDER BY ts, seq, idx ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   raw_from = 1771930800000
--   raw_to = 1773139032000
--   hour_from = 1771930800
--   hour_to = 1773140400
--   counted_from = 1772535600
--   counted_from_ms = 1772535600000

