SELECT
    server_id, hour, samples,
    players_avg, players_min, players_max,
    fps_avg, fps_min, fps_p05, fps_p50,
    frame_ms_avg, frame_ms_p95, frame_ms_p99,
    entities_avg, entities_max,
    memory_mb_avg, memory_mb_max,
    cpu_percent_avg, cpu_percent_max,
    net_in_avg, net_out_avg,
    uptime_s_max, toUInt64(greatest(boot_changes, start_changes)) AS restarts
FROM
(
    SELECT
        *,
        greatest(toInt64(length(boots)) - 1, 0) + (notEmpty(boots) AND notEmpty(boots_before) AND NOT hasAny(boots, boots_before)) AS boot_changes,
        greatest(toInt64(arrayCount(step -> step > 1, arrayDifference(starts))), 0)
            + (notEmpty(starts) AND notEmpty(starts_before) AND starts[1] > starts_before[-1] + 1) AS start_changes
    FROM
    (
        SELECT
            *,
            lagInFrame(boots) OVER servers AS boots_before,
            lagInFrame(starts) OVER servers AS starts_before
        FROM
        (
            SELECT
                h.server_id AS server_id, h.hour AS hour,
                sum(h.samples) AS samples,
                if(sum(h.players_count) = 0, NULL, sum(h.players_sum) / sum(h.players_count)) AS players_avg, min(h.players_min) AS players_min, max(h.players_max) AS players_max,
                if(sum(h.fps_count) = 0, NULL, sum(h.fps_sum) / sum(h.fps_count)) AS fps_avg, min(h.fps_min) AS fps_min, if(sum(h.fps_count) = 0, NULL, quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(h.fps_sketch)[1]) AS fps_p05, if(sum(h.fps_count) = 0, NULL, quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(h.fps_sketch)[2]) AS fps_p50,
                if(sum(h.frame_ms_count) = 0, NULL, sum(h.frame_ms_sum) / sum(h.frame_ms_count)) AS frame_ms_avg, if(sum(h.frame_ms_count) = 0, NULL, quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(h.frame_ms_sketch)[3]) AS frame_ms_p95, if(sum(h.frame_ms_count) = 0, NULL, quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(h.frame_ms_sketch)[4]) AS frame_ms_p99,
                if(sum(h.entities_count) = 0, NULL, sum(h.entities_sum) / sum(h.entities_count)) AS entities_avg, max(h.entities_max) AS entities_max,
                if(sum(h.memory_mb_count) = 0, NULL, sum(h.memory_mb_sum) / sum(h.memory_mb_count)) AS memory_mb_avg, max(h.memory_mb_max) AS memory_mb_max,
                if(sum(h.cpu_percent_count) = 0, NULL, sum(h.cpu_percent_sum) / sum(h.cpu_percent_count)) AS cpu_percent_avg, max(h.cpu_percent_max) AS cpu_percent_max,
                if(sum(h.net_in_count) = 0, NULL, sum(h.net_in_sum) / sum(h.net_in_count)) AS net_in_avg, if(sum(h.net_out_count) = 0, NULL, sum(h.net_out_sum) / sum(h.net_out_count)) AS net_out_avg,
                max(h.uptime_s_max) AS uptime_s_max,
                groupUniqArrayArray(h.boots) AS boots,
                arraySort(groupUniqArrayArray(h.starts)) AS starts
            FROM corrosion.samples_hourly AS h
            WHERE h.license_id = {license:UUID}
              AND h.hour < {to:DateTime('UTC')}
              AND (h.hour >= {from:DateTime('UTC')} - toIntervalHour(1) OR h.server_id IN
              (
                  SELECT s.server_id
                  FROM corrosion.samples_hourly AS s
                  WHERE s.license_id = {license:UUID}
                    AND s.hour >= {from:DateTime('UTC')} - toIntervalHour(1)
                    AND s.hour < {to:DateTime('UTC')}
                  GROUP BY s.server_id
                  HAVING min(s.hour) >= {from:DateTime('UTC')}
              ))
            GROUP BY server_id, hour
        )
        WINDOW servers AS (PARTITION BY server_id ORDER BY hour ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
)
WHERE hour >= {from:DateTime('UTC')}
ORDER BY server_id, hour
FORMAT CSVWithNames
-- from = 1795341600
-- license = 11111111-1111-4111-8111-111111111111
-- to = 1795395600
