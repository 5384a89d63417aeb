-- Everything of a license in network_hourly.
SELECT * FROM corrosion.network_hourly WHERE license_id = {license:UUID} ORDER BY hour FORMAT JSONEachRow
