-- +goose Up
-- A server's whole UTC days, so that uptime, capacity and restarts over weeks do not read every hour of every server: computed
-- from samples_hourly by the view below once a day is over, and anew when license_hourly counts other samples for it. Rows of
-- one day that were computed at once share built_at; readers take the newest such set, and only while samples and checksum
-- (of players and uptime_s) add up to what license_hourly says, so a late sample makes its day be read from the hours until
-- the next refresh. One refresh takes days of some 60 million samples. Not for operators: hourly is.
--
-- Minutes count from the epoch. gaps are the distances between neighbouring minutes with a sample, gap_counts how often each
-- occurs. restarts are those between hours that need no look at samples: boots and starts are there and say the same. unsure
-- are the others: hour, the server's hour before, restarts as the hours have them. The first hour's own changes are not
-- counted here: its hour before lies in another day.
CREATE TABLE IF NOT EXISTS corrosion.server_daily
(
    license_id UUID CODEC(ZSTD(1)),
    day DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    server_id LowCardinality(String) CODEC(ZSTD(1)),
    samples UInt64 CODEC(T64, ZSTD(1)),
    checksum UInt64 CODEC(ZSTD(1)),
    capacity Nullable(UInt32) CODEC(ZSTD(1)),
    starts UInt64 CODEC(T64, ZSTD(1)),
    first_minute UInt32 CODEC(Delta, ZSTD(1)),
    last_minute UInt32 CODEC(Delta, ZSTD(1)),
    reported UInt16 CODEC(T64, ZSTD(1)),
    gaps Array(UInt16) CODEC(ZSTD(1)),
    gap_counts Array(UInt16) CODEC(ZSTD(1)),
    first_boots Array(UInt64) CODEC(ZSTD(1)),
    first_starts Array(UInt32) CODEC(ZSTD(1)),
    last_boots Array(UInt64) CODEC(ZSTD(1)),
    last_starts Array(UInt32) CODEC(ZSTD(1)),
    restarts UInt32 CODEC(T64, ZSTD(1)),
    unsure Array(Tuple(UInt32, UInt32, UInt32)) CODEC(ZSTD(1)),
    built_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(built_at)
PARTITION BY toDate(day)
ORDER BY (license_id, day, server_id)
TTL day + toIntervalDay(90) DELETE
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.server_daily_built
REFRESH EVERY 5 MINUTE OFFSET 55 SECOND APPEND TO corrosion.server_daily AS
WITH
    due AS
    (
        SELECT license_id, day
        FROM
        (
            SELECT license_id, day, sum(live.samples) OVER (ORDER BY day DESC, license_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM
            (
                SELECT license_id, toStartOfDay(hour) AS day, sum(l.samples) AS samples, sum(l.players_sum) + sum(l.uptime_s_sum) AS checksum
                FROM corrosion.license_hourly AS l
                WHERE hour < toStartOfDay(now('UTC') - toIntervalMinute(5))
                GROUP BY license_id, day
            ) AS live
            LEFT ANTI JOIN
            (
                SELECT license_id, day, argMax(n, built_at) AS samples, argMax(sums, built_at) AS checksum
                FROM
                (
                    SELECT license_id, day, built_at, sum(s.samples) AS n, sum(s.checksum) AS sums
                    FROM corrosion.server_daily AS s
                    GROUP BY license_id, day, built_at
                )
                GROUP BY license_id, day
            ) AS built USING (license_id, day, samples, checksum)
        )
        WHERE before < 60000000
    ),
    arrayFlatten(arrayMap(h -> arrayMap(minute -> toUInt32(h.1 + minute), bitPositionsToArray(h.2)), arraySort(groupArray((toUInt32(intDiv(toUnixTimestamp(hour), 60)), mask))))) AS every,
    arrayPopFront(arrayMap(step -> toUInt16(step), arrayDifference(every))) AS distances
SELECT
    license_id, day, server_id, sum(n) AS samples, sum(sums) AS checksum,
    argMax(last_capacity, hour) AS capacity, sum(starting) AS starts,
    toUInt32(every[1]) AS first_minute, toUInt32(every[-1]) AS last_minute, toUInt16(length(every)) AS reported,
    arraySort(arrayDistinct(distances)) AS gaps, arrayMap(gap -> toUInt16(countEqual(distances, gap)), gaps) AS gap_counts,
    argMin(boots, hour) AS first_boots, argMin(begun, hour) AS first_starts, argMax(boots, hour) AS last_boots, argMax(begun, hour) AS last_starts,
    toUInt32(sumIf(boot_changes, follows AND sure)) AS restarts,
    groupArrayIf((toUInt32(toUnixTimestamp(hour)), toUInt32(toUnixTimestamp(hour_before)), toUInt32(greatest(boot_changes, start_changes))), follows AND NOT sure AND differs) AS unsure,
    now64(3, 'UTC') AS built_at
FROM
(
    SELECT
        *,
        hour_before > toDateTime(0, 'UTC') AS follows,
        greatest(toInt64(length(boots)) - 1, 0) + (notEmpty(boots) AND notEmpty(boots_before) AND NOT hasAny(boots, boots_before)) AS boot_changes,
        toInt64(arrayCount(step -> step > 1, arrayDifference(arrayMap(start -> toInt64(start), begun))))
            + (notEmpty(begun) AND notEmpty(begun_before) AND begun[1] > begun_before[-1] + 1) AS start_changes,
        notEmpty(boots) AND notEmpty(begun) AND notEmpty(boots_before) = notEmpty(begun_before) AND boot_changes = start_changes AS sure,
        length(arrayDistinct(arrayConcat(boots, boots_before))) > 1 OR length(arrayDistinct(arrayConcat(begun, begun_before))) > 1 AS differs
    FROM
    (
        SELECT
            *,
            lagInFrame(hour) OVER neighbours AS hour_before,
            lagInFrame(boots) OVER neighbours AS boots_before,
            lagInFrame(begun) OVER neighbours AS begun_before
        FROM
        (
            SELECT
                h.license_id AS license_id, toStartOfDay(h.hour) AS day, h.server_id AS server_id, h.hour AS hour,
                sum(h.samples) AS n, sum(h.players_sum) + sum(h.uptime_s_sum) AS sums,
                argMaxMerge(h.max_players_last) AS last_capacity, sum(h.uptime_s_count) + max(length(h.boots)) AS starting,
                groupBitOr(h.minutes) AS mask, groupUniqArrayArray(h.boots) AS boots, arraySort(groupUniqArrayArray(h.starts)) AS begun
            FROM corrosion.samples_hourly AS h
            WHERE h.hour >= (SELECT min(day) FROM due) AND h.hour < (SELECT max(day) FROM due) + toIntervalDay(1)
                AND (h.license_id, toStartOfDay(h.hour)) IN (SELECT license_id, day FROM due)
            GROUP BY license_id, server_id, hour
        )
        WINDOW neighbours AS (PARTITION BY license_id, server_id, day ORDER BY hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
)
GROUP BY license_id, day, server_id
SETTINGS max_bytes_before_external_group_by = 500000000, max_bytes_before_external_sort = 500000000;

-- +goose Down
DROP VIEW IF EXISTS corrosion.server_daily_built;
DROP TABLE IF EXISTS corrosion.server_daily;
