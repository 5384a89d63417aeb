-- estimate
SELECT
    sum(samples) AS samples,
    uniqExact(server_id) AS servers
FROM corrosion.samples_hourly
WHERE license_id = {license:UUID} AND server_id IN {servers:Array(String)} AND hour >= toDateTime({hour_from:UInt32}, 'UTC') AND hour < toDateTime({hour_to:UInt32}, 'UTC')


--   license = 00000000-0000-4000-8000-000000000001
--   servers = [eu-1 eu-2]
--   hour_from = 1773050400
--   hour_to = 1773140400

