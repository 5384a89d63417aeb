-- Everything of a license in hourly.
SELECT * FROM corrosion.hourly WHERE license_id = {license:UUID} ORDER BY server_id, hour FORMAT JSONEachRow
