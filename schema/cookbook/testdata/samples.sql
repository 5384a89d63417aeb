-- 15 days of nine servers, one sample a minute each, that end at {end}. What tests look for is planted:
--   eu-main    full with a queue, wiped 6 days before the end, its population falling by the day since
--   eu-leak    grows 30 MiB an hour since its start 72 hours before the end
--   us-lag     slow (9 fps) for ten minutes 5 hours before the end
--   us-silent  says nothing in the last 190 minutes
--   us-gap     says nothing from 50 to 48 hours before the end, without a restart
--   eu-crash   starts anew 20, 12 and 4 hours before the end, three minutes away each time
--   ap-empty   300 slots for 8 players, a clock 2 s fast
--   ap-new     first heard 2 days before the end; its entities grow and its frame rate falls; slower since the deploy
--   us-old     last heard 9 days before the end
INSERT INTO corrosion.samples
    (license_id, server_id, ts, n, boot, players, max_players, queued, sleepers, fps, frame_ms, entities, memory_mb,
     cpu_percent, net_in, net_out, uptime_s, map, version, metrics, epoch, seq, idx, received_at)
WITH
    toDateTime64({end:String}, 3, 'UTC') AS end,
    ['eu-main', 'eu-leak', 'us-lag', 'us-silent', 'us-gap', 'eu-crash', 'ap-empty', 'ap-new', 'us-old'] AS names,
    [200, 100, 120, 80, 100, 100, 300, 150, 60] AS sizes
SELECT
    {license:UUID}, name, moment, minute, concat(name, '-', toString(toUnixTimestamp(started))),
    least(demand, slots) AS players, slots, greatest(demand - slots, 0), 40 + intDiv(minute, 60) % 30,
    multiIf(
        name = 'us-lag' AND before > 290 AND before <= 300, 9,
        name = 'ap-new', 60 - (entities - 20000) / 2000 - 8 * deployed,
        58 + (hash % 40) / 10) AS fps,
    round(1000 / fps, 2),
    if(name = 'ap-new', 20000 + (2880 - before) * 10, 90000 + hash % 500) AS entities,
    if(name = 'eu-leak', 4000 + greatest(dateDiff('second', started, moment), 0) / 3600 * 30, 6000 + hash % 200),
    20 + players * 0.4, 4000 + players * 1500, 9000 + players * 12000,
    dateDiff('second', started, moment),
    if(name = 'eu-main', if(before > 8640, 'Procedural Map 4000/1', 'Procedural Map 4000/2'), 'HapisIsland'),
    if(deployed, '2384.1', '2383.1'),
    map('oxide.hook_ms.Kits', 1 + (hash % 10) / 100, 'oxide.hook_ms.Loot', if(name = 'ap-new' AND deployed, 6, 2), 'saves', 1),
    1, minute, i, addMilliseconds(moment, if(name = 'ap-empty', -2000, 120 + hash % 400))
FROM
(
    SELECT
        number % 9 AS i, intDiv(number, 9) AS minute, 15 * 1440 - minute AS before, names[i + 1] AS name, sizes[i + 1] AS slots,
        addSeconds(subtractMinutes(end, before), i * 5) AS moment, cityHash64(i, minute) AS hash, before <= 1440 AS deployed,
        -- evenings are busy, weekends more so
        (0.6 + 0.35 * sin(2 * pi() * (toHour(moment) + toMinute(moment) / 60 - 14) / 24)) * if(toDayOfWeek(moment) >= 6, 1.15, 1) AS wave,
        toUInt32(greatest(floor(multiIf(
            name = 'eu-main', 280 * wave * if(before > 8640, 0.5, 1 - 0.1 * (6 - before / 1440)),
            name = 'ap-empty', hash % 9,
            slots * 0.6 * wave)), 0)) AS demand,
        subtractMinutes(end, multiIf(
            name = 'eu-main' AND before <= 8640, 8640,
            name = 'eu-leak' AND before <= 4320, 4320,
            name = 'ap-new', 2880,
            name = 'eu-crash' AND before <= 240, 240,
            name = 'eu-crash' AND before <= 720, 720,
            name = 'eu-crash' AND before <= 1200, 1200,
            30 * 1440)) AS started
    FROM numbers(15 * 1440 * 9)
)
WHERE NOT (name = 'us-silent' AND before <= 190)
    AND NOT (name = 'us-gap' AND before > 2880 AND before <= 3000)
    AND NOT (name = 'eu-crash' AND (before BETWEEN 238 AND 240 OR before BETWEEN 718 AND 720 OR before BETWEEN 1198 AND 1200))
    AND NOT (name = 'ap-new' AND before > 2880)
    AND NOT (name = 'us-old' AND before <= 9 * 1440)
