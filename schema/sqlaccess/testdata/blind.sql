-- One query a line whose answer must not change when another license's rows come. {theirs} is the other license.
SELECT throwIf(server_id LIKE 'foreign%') FROM samples FORMAT Null
SELECT count() FROM samples PREWHERE throwIf(server_id LIKE 'foreign%') = 0
SELECT count() FROM samples WHERE throwIf(license_id = '{theirs}') = 0
SELECT count() FROM samples PREWHERE throwIf(license_id = '{theirs}') = 0
SELECT count() FROM samples PREWHERE throwIf(license_id = '{theirs}') = 0 WHERE players > 0
SELECT count() FROM samples WHERE NOT ignore(toUInt32(if(players = 777777, 'x', '1')))
SELECT count() FROM samples PREWHERE NOT ignore(toUInt32(if(players = 777777, 'x', '1')))
SELECT count() FROM samples WHERE intDiv(1, if(license_id = '{theirs}', 0, 1)) = 1
SELECT count() FROM samples PREWHERE intDiv(1, if(server_id LIKE 'foreign%', 0, 1)) = 1
SELECT count() FROM samples WHERE sleepEachRow(if(license_id = '{theirs}', 3, 0)) = 0
SELECT count(), sum(players), min(ts) FROM samples
SELECT count() FROM samples
SELECT count(players), uniqExact(server_id), uniqExact(license_id) FROM samples
SELECT min(ts), max(ts), min(toDate(ts)) FROM samples
SELECT uniqExact(_partition_id), max(_part_starting_offset) >= 0 FROM samples
SELECT count() FROM samples_hourly
SELECT count() FROM samples_hourly WHERE throwIf(server_id LIKE 'foreign%') = 0
SELECT count() FROM hourly
SELECT count() FROM hourly WHERE throwIf(server_id LIKE 'foreign%') = 0
SELECT count() FROM hourly WHERE throwIf(players_max = 777777) = 0
SELECT count() FROM metrics_hourly WHERE throwIf(license_id = '{theirs}') = 0
SELECT count() FROM network_hourly WHERE throwIf(license_id = '{theirs}') = 0
SELECT count() FROM network_hours FINAL WHERE throwIf(license_id = '{theirs}') = 0
SELECT count() FROM network_hours FINAL PREWHERE throwIf(license_id = '{theirs}') = 0
SELECT count() FROM mergeTreeIndex('corrosion', 'samples')
SELECT count() FROM mergeTreeIndex('corrosion', 'samples') WHERE throwIf(license_id = '{theirs}') = 0
SELECT count() FROM mergeTreeAnalyzeIndexes('corrosion', 'samples', license_id = '{theirs}')
SELECT count() FROM merge('corrosion', '^samples$') WHERE throwIf(server_id LIKE 'foreign%') = 0
SELECT count() FROM merge('corrosion', '^samples$') PREWHERE throwIf(server_id LIKE 'foreign%') = 0
SELECT count() FROM samples AS a JOIN samples AS b ON a.ts = b.ts WHERE throwIf(b.license_id = '{theirs}') = 0
SELECT count() FROM samples ARRAY JOIN [1, 2] AS x WHERE throwIf(license_id = '{theirs}') = 0
SELECT count() FROM samples GROUP BY throwIf(license_id = '{theirs}')
SELECT DISTINCT throwIf(license_id = '{theirs}') FROM samples ORDER BY throwIf(server_id LIKE 'foreign%') LIMIT 1
SELECT 1 FROM samples ORDER BY license_id, server_id, ts LIMIT 1
SELECT server_id FROM samples ORDER BY license_id DESC, server_id DESC, ts DESC LIMIT 1
SELECT max(server_id), min(server_id) FROM samples
SELECT count() FROM user_licenses
SELECT count() FROM user_licenses WHERE throwIf(license_id = '{theirs}') = 0
SELECT throwIf(server_id LIKE 'foreign%') FROM merge('corrosion', '^samples') FORMAT Null
SELECT count() FROM (SELECT * FROM merge('corrosion', '^samples$')) WHERE throwIf(server_id LIKE 'foreign%') = 0
SELECT count() FROM view(SELECT server_id FROM merge(REGEXP('corr.*'), '^samples$')) WHERE throwIf(server_id LIKE 'foreign%') = 0
