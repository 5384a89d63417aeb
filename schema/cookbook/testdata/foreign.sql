-- Another tenant: the same name of a server, and figures that nobody could overlook in an answer. It sends every ten
-- minutes for two days.
INSERT INTO corrosion.samples
    (license_id, server_id, ts, n, boot, players, max_players, queued, fps, frame_ms, entities, memory_mb, net_out, uptime_s, map,
     version, metrics, epoch, seq, idx, received_at)
SELECT
    {license:UUID}, 'eu-main', subtractMinutes(toDateTime64({end:String}, 3, 'UTC'), 2880 - number * 10) AS moment, number,
    'foreign', 50000, 90000, 40000, 1, 1000, 9000000, 900000 + number * 1000, 1000000000, number * 600, 'Foreign', '9.9.9',
    map('oxide.hook_ms.Foreign', 999), 1, 1000000 + number, 0, addSeconds(moment, 90)
FROM numbers(288)
