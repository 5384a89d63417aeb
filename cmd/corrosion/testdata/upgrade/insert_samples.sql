INSERT INTO corrosion.samples (license_id, server_id, ts, n, boot, players, max_players, queued, joining, sleepers, fps, frame_ms, entities, memory_mb, cpu_percent, net_in, net_out, uptime_s, map, version, metrics, epoch, seq, idx, received_at)
SELECT license_id, server_id, ts, n, boot, players, max_players, queued, joining, sleepers, fps, frame_ms, entities, memory_mb, cpu_percent, net_in, net_out, uptime_s, map, version, metrics, epoch, seq, idx, received_at
FROM
(
    SELECT
        toUUID('00000000-0000-4000-8000-00000000001d') AS license_id, concat('s', toString(number % 5)) AS server_id,
        now64(3) - toIntervalSecond(number * 37) AS ts, ?::UInt64 * 100 + number AS n, 'boot' AS boot,
        number % 100 AS players, 100 AS max_players, 0 AS queued, 0 AS joining, number % 7 AS sleepers, 50 + number % 10 AS fps, 20 AS frame_ms, 1000 + number AS entities,
        2048 AS memory_mb, 55 AS cpu_percent, 10 AS net_in, 20 AS net_out, 3600 + number AS uptime_s, 'Procedural Map' AS map, '1' AS version, map('loot', toFloat64(number)) AS metrics,
        77 AS epoch, ?::UInt64 AS seq, number AS idx, now64(3) AS received_at
    FROM numbers(100)
)
WHERE throwIf(toUnixTimestamp64Milli(now64(3)) > 4102444800000, 'this INSERT came too late') = 0
    AND throwIf(toUnixTimestamp64Milli(joinGet('corrosion.healing', 'until', toUInt8(1))) >= 4102444800000, 'rollups are being healed') = 0
