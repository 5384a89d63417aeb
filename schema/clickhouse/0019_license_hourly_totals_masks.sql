-- +goose Up
-- Which minutes of an hour any server reported, not only how many: several shards of a cluster each know their own servers'
-- minutes, and the minutes of all are what any of them has. Rows of before have no mask, and nothing but their count is read.
ALTER TABLE corrosion.license_hourly_totals
    ADD COLUMN IF NOT EXISTS players_mask UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS max_players_mask UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS queued_mask UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS joining_mask UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS sleepers_mask UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS entities_mask UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS net_in_mask UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS net_out_mask UInt64 CODEC(ZSTD(1));

DROP VIEW IF EXISTS corrosion.license_hourly_totals_built SYNC;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.license_hourly_totals_built
REFRESH EVERY 5 MINUTE OFFSET 40 SECOND APPEND TO corrosion.license_hourly_totals AS
WITH
    due AS
    (
        SELECT license_id, hour
        FROM
        (
            SELECT license_id, hour, sum(live.samples) OVER (ORDER BY hour DESC, license_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM
            (
                SELECT license_id, hour, sum(l.samples) AS samples
                FROM corrosion.license_hourly AS l
                WHERE hour < toStartOfHour(now())
                GROUP BY license_id, hour
            ) AS live
            LEFT ANTI JOIN
            (
                SELECT license_id, hour, argMax(t.samples, built_at) AS samples
                FROM corrosion.license_hourly_totals AS t
                GROUP BY license_id, hour
            ) AS built USING (license_id, hour, samples)
        )
        WHERE before < 100000000
    )
SELECT license_id, hour, sum(n) AS samples, sum(each.players_mean * bitCount(each.players_mask)) AS players_weighted, toUInt8(bitCount(groupBitOr(each.players_mask))) AS players_minutes, groupBitOr(each.players_mask) AS players_mask, sum(each.max_players_mean * bitCount(each.max_players_mask)) AS max_players_weighted, toUInt8(bitCount(groupBitOr(each.max_players_mask))) AS max_players_minutes, groupBitOr(each.max_players_mask) AS max_players_mask, sum(each.queued_mean * bitCount(each.queued_mask)) AS queued_weighted, toUInt8(bitCount(groupBitOr(each.queued_mask))) AS queued_minutes, groupBitOr(each.queued_mask) AS queued_mask, sum(each.joining_mean * bitCount(each.joining_mask)) AS joining_weighted, toUInt8(bitCount(groupBitOr(each.joining_mask))) AS joining_minutes, groupBitOr(each.joining_mask) AS joining_mask, sum(each.sleepers_mean * bitCount(each.sleepers_mask)) AS sleepers_weighted, toUInt8(bitCount(groupBitOr(each.sleepers_mask))) AS sleepers_minutes, groupBitOr(each.sleepers_mask) AS sleepers_mask, sum(each.entities_mean * bitCount(each.entities_mask)) AS entities_weighted, toUInt8(bitCount(groupBitOr(each.entities_mask))) AS entities_minutes, groupBitOr(each.entities_mask) AS entities_mask, sum(each.net_in_mean * bitCount(each.net_in_mask)) AS net_in_weighted, toUInt8(bitCount(groupBitOr(each.net_in_mask))) AS net_in_minutes, groupBitOr(each.net_in_mask) AS net_in_mask, sum(each.net_out_mean * bitCount(each.net_out_mask)) AS net_out_weighted, toUInt8(bitCount(groupBitOr(each.net_out_mask))) AS net_out_minutes, groupBitOr(each.net_out_mask) AS net_out_mask, now64(3, 'UTC') AS built_at
FROM
(
    SELECT h.license_id AS license_id, h.server_id AS server_id, h.hour AS hour, sum(h.samples) AS n, if(sum(h.players_count) = 0, 0, sum(h.players_sum) / sum(h.players_count)) AS players_mean, if(sum(h.players_count) = 0, 0, groupBitOr(h.minutes)) AS players_mask, if(sum(h.max_players_count) = 0, 0, sum(h.max_players_sum) / sum(h.max_players_count)) AS max_players_mean, if(sum(h.max_players_count) = 0, 0, groupBitOr(h.minutes)) AS max_players_mask, if(sum(h.queued_count) = 0, 0, sum(h.queued_sum) / sum(h.queued_count)) AS queued_mean, if(sum(h.queued_count) = 0, 0, groupBitOr(h.minutes)) AS queued_mask, if(sum(h.joining_count) = 0, 0, sum(h.joining_sum) / sum(h.joining_count)) AS joining_mean, if(sum(h.joining_count) = 0, 0, groupBitOr(h.minutes)) AS joining_mask, if(sum(h.sleepers_count) = 0, 0, sum(h.sleepers_sum) / sum(h.sleepers_count)) AS sleepers_mean, if(sum(h.sleepers_count) = 0, 0, groupBitOr(h.minutes)) AS sleepers_mask, if(sum(h.entities_count) = 0, 0, sum(h.entities_sum) / sum(h.entities_count)) AS entities_mean, if(sum(h.entities_count) = 0, 0, groupBitOr(h.minutes)) AS entities_mask, if(sum(h.net_in_count) = 0, 0, sum(h.net_in_sum) / sum(h.net_in_count)) AS net_in_mean, if(sum(h.net_in_count) = 0, 0, groupBitOr(h.minutes)) AS net_in_mask, if(sum(h.net_out_count) = 0, 0, sum(h.net_out_sum) / sum(h.net_out_count)) AS net_out_mean, if(sum(h.net_out_count) = 0, 0, groupBitOr(h.minutes)) AS net_out_mask
    FROM corrosion.samples_hourly AS h
    WHERE h.hour >= (SELECT min(hour) FROM due) AND h.hour <= (SELECT max(hour) FROM due)
        AND (h.license_id, h.hour) IN (SELECT license_id, hour FROM due)
    GROUP BY license_id, server_id, hour
) AS each
GROUP BY license_id, hour;

-- +goose Down
DROP VIEW IF EXISTS corrosion.license_hourly_totals_built SYNC;

CREATE MATERIALIZED VIEW IF NOT EXISTS corrosion.license_hourly_totals_built
REFRESH EVERY 5 MINUTE OFFSET 40 SECOND APPEND TO corrosion.license_hourly_totals AS
WITH
    due AS
    (
        SELECT license_id, hour
        FROM
        (
            SELECT license_id, hour, sum(live.samples) OVER (ORDER BY hour DESC, license_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM
            (
                SELECT license_id, hour, sum(l.samples) AS samples
                FROM corrosion.license_hourly AS l
                WHERE hour < toStartOfHour(now())
                GROUP BY license_id, hour
            ) AS live
            LEFT ANTI JOIN
            (
                SELECT license_id, hour, argMax(t.samples, built_at) AS samples
                FROM corrosion.license_hourly_totals AS t
                GROUP BY license_id, hour
            ) AS built USING (license_id, hour, samples)
        )
        WHERE before < 100000000
    )
SELECT license_id, hour, sum(n) AS samples, sum(players_mean * bitCount(players_mask)) AS players_weighted, toUInt8(bitCount(groupBitOr(players_mask))) AS players_minutes, sum(max_players_mean * bitCount(max_players_mask)) AS max_players_weighted, toUInt8(bitCount(groupBitOr(max_players_mask))) AS max_players_minutes, sum(queued_mean * bitCount(queued_mask)) AS queued_weighted, toUInt8(bitCount(groupBitOr(queued_mask))) AS queued_minutes, sum(joining_mean * bitCount(joining_mask)) AS joining_weighted, toUInt8(bitCount(groupBitOr(joining_mask))) AS joining_minutes, sum(sleepers_mean * bitCount(sleepers_mask)) AS sleepers_weighted, toUInt8(bitCount(groupBitOr(sleepers_mask))) AS sleepers_minutes, sum(entities_mean * bitCount(entities_mask)) AS entities_weighted, toUInt8(bitCount(groupBitOr(entities_mask))) AS entities_minutes, sum(net_in_mean * bitCount(net_in_mask)) AS net_in_weighted, toUInt8(bitCount(groupBitOr(net_in_mask))) AS net_in_minutes, sum(net_out_mean * bitCount(net_out_mask)) AS net_out_weighted, toUInt8(bitCount(groupBitOr(net_out_mask))) AS net_out_minutes, now64(3, 'UTC') AS built_at
FROM
(
    SELECT h.license_id AS license_id, h.server_id AS server_id, h.hour AS hour, sum(h.samples) AS n, if(sum(h.players_count) = 0, 0, sum(h.players_sum) / sum(h.players_count)) AS players_mean, if(sum(h.players_count) = 0, 0, groupBitOr(h.minutes)) AS players_mask, if(sum(h.max_players_count) = 0, 0, sum(h.max_players_sum) / sum(h.max_players_count)) AS max_players_mean, if(sum(h.max_players_count) = 0, 0, groupBitOr(h.minutes)) AS max_players_mask, if(sum(h.queued_count) = 0, 0, sum(h.queued_sum) / sum(h.queued_count)) AS queued_mean, if(sum(h.queued_count) = 0, 0, groupBitOr(h.minutes)) AS queued_mask, if(sum(h.joining_count) = 0, 0, sum(h.joining_sum) / sum(h.joining_count)) AS joining_mean, if(sum(h.joining_count) = 0, 0, groupBitOr(h.minutes)) AS joining_mask, if(sum(h.sleepers_count) = 0, 0, sum(h.sleepers_sum) / sum(h.sleepers_count)) AS sleepers_mean, if(sum(h.sleepers_count) = 0, 0, groupBitOr(h.minutes)) AS sleepers_mask, if(sum(h.entities_count) = 0, 0, sum(h.entities_sum) / sum(h.entities_count)) AS entities_mean, if(sum(h.entities_count) = 0, 0, groupBitOr(h.minutes)) AS entities_mask, if(sum(h.net_in_count) = 0, 0, sum(h.net_in_sum) / sum(h.net_in_count)) AS net_in_mean, if(sum(h.net_in_count) = 0, 0, groupBitOr(h.minutes)) AS net_in_mask, if(sum(h.net_out_count) = 0, 0, sum(h.net_out_sum) / sum(h.net_out_count)) AS net_out_mean, if(sum(h.net_out_count) = 0, 0, groupBitOr(h.minutes)) AS net_out_mask
    FROM corrosion.samples_hourly AS h
    WHERE h.hour >= (SELECT min(hour) FROM due) AND h.hour <= (SELECT max(hour) FROM due)
        AND (h.license_id, h.hour) IN (SELECT license_id, hour FROM due)
    GROUP BY license_id, server_id, hour
)
GROUP BY license_id, hour;

ALTER TABLE corrosion.license_hourly_totals
    DROP COLUMN IF EXISTS players_mask,
    DROP COLUMN IF EXISTS max_players_mask,
    DROP COLUMN IF EXISTS queued_mask,
    DROP COLUMN IF EXISTS joining_mask,
    DROP COLUMN IF EXISTS sleepers_mask,
    DROP COLUMN IF EXISTS entities_mask,
    DROP COLUMN IF EXISTS net_in_mask,
    DROP COLUMN IF EXISTS net_out_mask;
