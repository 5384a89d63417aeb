-- The hours of custom metrics of a license, with plain numbers.
SELECT license_id, metric, server_id, hour, sum(m.count) AS count, sum(m.sum) AS sum, min(m.min) AS min, max(m.max) AS max,
    argMaxMerge(m.last) AS last, bitCount(groupBitOr(m.minutes)) AS minutes
FROM corrosion.metrics_hourly AS m WHERE license_id = {license:UUID}
GROUP BY license_id, metric, server_id, hour ORDER BY metric, server_id, hour FORMAT JSONEachRow
