-- Everything of a license in events.
SELECT * FROM corrosion.events WHERE license_id = {license:UUID} ORDER BY ts, event_id FORMAT JSONEachRow
