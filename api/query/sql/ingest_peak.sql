{{- /* The busiest minutes: samples and bytes published in one, whatever became of them. */ -}}
SELECT
    max(counted) AS samples,
    max(payload) AS bytes
FROM
(
    SELECT
        sumIf(count, outcome != 'quota_metrics') AS counted,
        sum(bytes) AS payload
    FROM corrosion.ingest_log
    WHERE license_id = {license:UUID} AND minute >= fromUnixTimestamp({minute_from:Int64}) AND minute < fromUnixTimestamp({minute_to:Int64})
    GROUP BY minute
)
