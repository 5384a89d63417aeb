{{- /* Restarts between neighbouring samples of the hours that are named, each with the server's hour before. */ -}}
SELECT
    toInt64(countIf(ts >= fromUnixTimestamp64Milli({counted_from_ms:Int64}, 'UTC') AND follows AND (boot != boot_before OR uptime_s < uptime_before)
        AND (server_id, toStartOfHour(ts)) IN
        (
            SELECT one.1, toDateTime(one.2, 'UTC') FROM (SELECT arrayJoin(arrayZip({unsure_servers:Array(String)}, {unsure_hours:Array(UInt32)})) AS one)
        ))) AS restarts
FROM
(
    SELECT
        server_id,
        ts,
        boot,
        uptime_s,
        lagInFrame(1) OVER neighbours = 1 AS follows,
        lagInFrame(boot) OVER neighbours AS boot_before,
        lagInFrame(uptime_s) OVER neighbours AS uptime_before
    FROM corrosion.samples
    WHERE {{ template "raw_range" . }} AND {{ .Within "named" "ts" }}
        AND server_id IN {unsure_servers:Array(String)}
        AND (server_id, toStartOfHour(ts)) IN
        (
            SELECT one.1, toDateTime(one.2, 'UTC') FROM (SELECT arrayJoin(arrayZip(
                arrayConcat({unsure_servers:Array(String)}, {unsure_servers:Array(String)}),
                arrayConcat({unsure_hours:Array(UInt32)}, {hours_before:Array(UInt32)}))) AS one)
        )
    WINDOW neighbours AS (PARTITION BY server_id ORDER BY ts, seq, idx ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
