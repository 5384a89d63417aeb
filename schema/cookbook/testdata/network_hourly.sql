-- What the aggregator writes: peaks and means of the one-minute totals over servers.
INSERT INTO corrosion.network_hours (license_id, hour, peak_players, peak_at, avg_players, servers_reporting, samples, version)
SELECT license_id, toStartOfHour(minute) AS hour, max(total), argMax(minute, (total, -toUnixTimestamp(minute))), avg(total), max(servers), sum(samples), 1
FROM
(
    SELECT license_id, minute, sum(players) AS total, count() AS servers, sum(samples) AS samples
    FROM (SELECT license_id, server_id, toStartOfMinute(ts) AS minute, avg(players) AS players, count() AS samples FROM corrosion.samples GROUP BY ALL)
    GROUP BY license_id, minute
)
GROUP BY license_id, hour
