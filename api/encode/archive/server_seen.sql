-- Which servers a license has had.
SELECT license_id, server_id, min(first_seen) AS first_seen, max(last_seen) AS last_seen FROM corrosion.server_seen
WHERE license_id = {license:UUID} GROUP BY license_id, server_id ORDER BY server_id FORMAT JSONEachRow
