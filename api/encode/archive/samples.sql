-- Everything of a license in samples.
SELECT * FROM corrosion.samples WHERE license_id = {license:UUID} ORDER BY server_id, ts, seq, idx FORMAT JSONEachRow
