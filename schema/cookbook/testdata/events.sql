INSERT INTO corrosion.event_log (license_id, ts, event_id, server_id, kind, title, source)
SELECT {license:UUID}, subtractMinutes(toDateTime64({end:String}, 3, 'UTC'), e.1), toUUID(concat('00000000-0000-4000-9000-0000000000', e.2)), e.3, e.4, e.5, e.6
FROM
(
    SELECT arrayJoin([
        (8640, '01', 'eu-main', 'wipe', 'Weekly wipe', 'samples'),
        (1440, '02', '', 'deploy', 'Loot Manager 1.4.0', 'api'),
        (320, '03', 'us-lag', 'note', 'Moved to another host', 'api')]) AS e
)
