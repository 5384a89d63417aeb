{{- /* What became of what a license published, by the bucket. */ -}}
SELECT
    outcome,
    toInt64(intDiv(toInt64(toUnixTimestamp(minute)) * 1000 - {origin:Int64}, {step:Int64})) AS bucket,
    sum(count) AS counted,
    sum(bytes) AS payload
FROM corrosion.ingest_log
WHERE license_id = {license:UUID} AND minute >= fromUnixTimestamp({minute_from:Int64}) AND minute < fromUnixTimestamp({minute_to:Int64})
GROUP BY outcome, bucket
ORDER BY outcome, bucket
