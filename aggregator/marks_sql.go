package aggregator

// What the job of marks asks. Their texts are in testdata/marks.golden.
const (
	// askChanged gives the servers with samples that came since the last look, or that were too young for it.
	askChanged = `SELECT license_id, toString(server_id), toUnixTimestamp64Milli(min(ts)), toUnixTimestamp64Milli(max(ts))
FROM corrosion.samples
WHERE toDate(ts) = {day:Date} AND ts < fromUnixTimestamp64Milli({closed:Int64}, 'UTC')
    AND (toInt64(splitByChar('_', CAST(_part, 'String'))[3]) > {block:Int64} OR ts >= fromUnixTimestamp64Milli({looked:Int64}, 'UTC'))
GROUP BY license_id, server_id
ORDER BY license_id, server_id`

	// askNext gives each server's first hour with samples after a stretch: a change within it changes what is seen there.
	askNext = `SELECT toString(server_id), toInt64(toUnixTimestamp(min(hour))) * 1000
FROM corrosion.samples_hourly
WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)}
    AND hour >= toDateTime(intDiv({to:Int64}, 1000), 'UTC') AND hour < toDateTime(intDiv({to:Int64}, 1000), 'UTC') + toIntervalDay(7)
GROUP BY server_id`

	// askRestarts gives the neighbours between which servers started anew, and each server's first sample of all that were
	// looked at (first), before which nothing is known. Hours whose boots and starts are those of the hour before have none.
	askRestarts = `WITH
    spans AS
    (
        SELECT server_id, hour, boots, starts,
            lagInFrame(hour) OVER w AS hour_before, lagInFrame(boots) OVER w AS boots_before, lagInFrame(starts) OVER w AS starts_before
        FROM
        (
            SELECT server_id, hour, groupUniqArrayArray(boots) AS boots, arraySort(groupUniqArrayArray(starts)) AS starts
            FROM corrosion.samples_hourly
            WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)}
                AND hour >= toDateTime(intDiv({from:Int64}, 1000), 'UTC') - toIntervalDay(7) AND hour < toDateTime(intDiv({end:Int64}, 1000), 'UTC')
            GROUP BY server_id, hour
        )
        WINDOW w AS (PARTITION BY server_id ORDER BY hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
SELECT toString(server_id) AS server, toUnixTimestamp64Milli(ts) AS at, toUnixTimestamp64Milli(ts_before) AS last, ifNull(boot, '') AS started,
    CAST(uptime_s, 'Nullable(Float64)') AS up, follows = 0 AS first
FROM
(
    SELECT server_id, ts, boot, uptime_s, lagInFrame(1) OVER w AS follows, lagInFrame(ts) OVER w AS ts_before,
        lagInFrame(boot) OVER w AS boot_before, lagInFrame(uptime_s) OVER w AS uptime_before
    FROM corrosion.samples
    WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)}
        AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') - toIntervalDay(7) AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        AND (server_id, toStartOfHour(ts)) IN
        (
            SELECT server_id, arrayJoin([hour, hour_before]) FROM spans
            WHERE hour >= toDateTime(intDiv({from:Int64}, 1000), 'UTC')
                AND (length(arrayDistinct(arrayConcat(boots, boots_before))) > 1 OR length(arrayDistinct(arrayConcat(starts, starts_before))) > 1 OR toUnixTimestamp(hour_before) = 0)
        )
    WINDOW w AS (PARTITION BY server_id ORDER BY ts, seq, idx ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND (follows = 0 OR boot != boot_before OR uptime_s < uptime_before)
ORDER BY server, at`

	// askReadings gives what was measured around restarts, one row each.
	askReadings = `SELECT toString(r.1) AS server, r.2 AS at,
    argMaxIf(entities, (ts, seq, idx), NOT later) AS entities_before, argMaxIf(sleepers, (ts, seq, idx), NOT later) AS sleepers_before,
    argMaxIf(seed, (ts, seq, idx), NOT later) AS seed_before, ifNull(argMaxIf(map, (ts, seq, idx), NOT later), '') AS map_before,
    maxIf(entities, later) AS entities_after, maxIf(sleepers, later) AS sleepers_after,
    argMaxIf(seed, (ts, seq, idx), later) AS seed_after, ifNull(argMaxIf(map, (ts, seq, idx), later), '') AS map_after
FROM
(
    SELECT r, ts, seq, idx, CAST(s.entities, 'Nullable(Float64)') AS entities, CAST(s.sleepers, 'Nullable(Float64)') AS sleepers, s.map AS map,
        if(mapContains(metrics, 'world.seed'), metrics['world.seed'], if(mapContains(metrics, 'world_seed'), metrics['world_seed'],
            if(mapContains(metrics, 'seed'), metrics['seed'], NULL))) AS seed,
        toUnixTimestamp64Milli(ts) >= r.2 AS later
    FROM corrosion.samples AS s
    INNER JOIN
    (
        SELECT arrayJoin(arrayZip({ids:Array(String)}, {ats:Array(Int64)}, {lasts:Array(Int64)}, {nexts:Array(Int64)})) AS r, r.1 AS id
    ) AS restarts ON s.server_id = restarts.id
    WHERE license_id = {license:UUID} AND server_id IN {ids:Array(String)}
        AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
        AND toUnixTimestamp64Milli(ts) > r.3 - 1800000 AND toUnixTimestamp64Milli(ts) < r.4
)
GROUP BY r`

	// askMarks gives the marks of some servers that samples showed before, as they were last written.
	askMarks = `SELECT event_id, toString(any(server_id)) AS server, toUnixTimestamp64Milli(ts) AS at, toString(argMax(kind, version)) AS k,
    argMax(title, version) AS headline, argMax(text, version) AS words, argMax(data, version) AS document, argMax(deleted, version) AS gone, max(version) AS newest
FROM corrosion.event_log
WHERE license_id = {license:UUID} AND source = 'samples' AND server_id IN {servers:Array(String)}
    AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
GROUP BY event_id, ts`
)
