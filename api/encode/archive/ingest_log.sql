-- Everything of a license in ingest_log.
SELECT * FROM corrosion.ingest_log WHERE license_id = {license:UUID} ORDER BY minute, outcome FORMAT JSONEachRow
