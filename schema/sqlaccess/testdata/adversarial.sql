-- One query a line, asked by a reader: an error, or nothing that is another license's. {theirs} is the other license.
SELECT * FROM samples
SELECT * FROM corrosion.samples WHERE license_id = '{theirs}'
SELECT * FROM samples WHERE license_id != (SELECT any(license_id) FROM user_licenses)
SELECT license_id, server_id, max(players) FROM samples GROUP BY ALL
SELECT license_id, count(), max(players) FROM samples GROUP BY license_id WITH TOTALS
SELECT license_id, server_id, count() FROM samples GROUP BY GROUPING SETS ((license_id), (server_id), ())
SELECT server_id, players FROM samples PREWHERE 1 OR license_id = '{theirs}'
SELECT groupUniqArray(server_id), groupUniqArray(license_id), max(players), argMax(server_id, players) FROM samples
SELECT min(license_id), max(license_id), min(server_id), max(server_id), max(players) FROM samples
SELECT server_id FROM samples ORDER BY players DESC LIMIT 1 BY server_id
SELECT server_id, max(players) OVER () FROM samples LIMIT 1 BY server_id
SELECT server_id FROM samples QUALIFY row_number() OVER (PARTITION BY server_id) = 1
SELECT DISTINCT server_id FROM samples FINAL
SELECT DISTINCT server_id FROM samples SAMPLE 1
SELECT server_id FROM samples LIMIT 1 BY server_id WITH TIES
SELECT DISTINCT _part, _partition_id, _partition_value, server_id FROM samples
SELECT any(server_id), count() FROM samples GROUP BY _part_offset HAVING count() > 1 OR any(server_id) LIKE 'foreign%'
SELECT server_id, hour, samples FROM samples_hourly WHERE license_id = '{theirs}'
SELECT DISTINCT license_id, server_id FROM samples_hourly
SELECT license_id, server_id, players_max FROM hourly
SELECT license_id, metric, server_id, max FROM metrics_hourly
SELECT * FROM network_hourly
SELECT * FROM network_hours FINAL
SELECT * FROM events
SELECT * FROM event_log
SELECT * FROM user_licenses
SELECT * FROM corrosion.user_licenses WHERE user = 'reader_02'
WITH user_licenses AS (SELECT toUUID('{theirs}') AS license_id, 'reader_01' AS user) SELECT DISTINCT server_id FROM samples
WITH license_id AS (SELECT toUUID('{theirs}')) SELECT DISTINCT server_id FROM samples
SELECT DISTINCT s.server_id FROM (SELECT toUUID('{theirs}') AS license_id) AS t JOIN samples AS s USING license_id
SELECT DISTINCT s.server_id FROM samples AS s RIGHT JOIN samples AS o ON s.ts = o.ts
SELECT s.server_id, o.server_id FROM samples AS s ASOF JOIN samples AS o ON s.epoch = o.epoch AND s.ts >= o.ts LIMIT 1 BY s.server_id, o.server_id
SELECT server_id FROM samples UNION ALL SELECT server_id FROM corrosion.samples UNION ALL SELECT toString(license_id) FROM samples_hourly
SELECT server_id FROM samples INTERSECT SELECT 'x' UNION DISTINCT SELECT any(server_id) FROM samples GROUP BY license_id
SELECT (SELECT groupArray(server_id) FROM samples WHERE license_id = '{theirs}')
SELECT count() FROM samples WHERE license_id IN (SELECT license_id FROM samples) GROUP BY license_id HAVING license_id = '{theirs}'
SELECT license_id FROM samples_hourly_mv
SELECT license_id FROM metrics_hourly_mv
SELECT * FROM message_ids
SELECT * FROM healing
SELECT * FROM ingest_log
SELECT * FROM server_seen
SELECT * FROM schema_migrations
SELECT joinGet('corrosion.healing', 'healer', toUInt8(1))
SELECT joinGet('corrosion.user_licenses', 'license_id', 'reader_02')
SELECT * FROM merge('corrosion', '.*') WHERE server_id LIKE 'foreign%'
SELECT server_id, license_id FROM merge('corrosion', '^samples') LIMIT 1 BY server_id, license_id
SELECT * FROM merge(REGEXP('.*'), '.*')
SELECT DISTINCT license_id FROM merge(currentDatabase(), 'samples')
SELECT * FROM mergeTreeIndex('corrosion', 'samples')
SELECT * FROM mergeTreeIndex(corrosion, samples, with_marks = true, with_minmax = true)
SELECT groupArray(server_id), groupArray(license_id) FROM mergeTreeIndex('corrosion', 'samples_hourly')
SELECT s.server_id FROM samples AS o RIGHT JOIN mergeTreeIndex('corrosion', 'samples') AS s ON 1
SELECT * FROM view(SELECT * FROM mergeTreeIndex('corrosion', 'samples'))
SELECT * FROM mergeTreeIndex('corrosion', 'user_licenses')
SELECT * FROM mergeTreeAnalyzeIndexes('corrosion', 'samples', license_id = '{theirs}')
SELECT * FROM mergeTreeProjection('corrosion', 'samples', '_minmax_count_projection')
SELECT * FROM mergeTreeTextIndex('corrosion', 'samples', 'x')
SELECT * FROM loop('corrosion', 'samples') LIMIT 100000
SELECT * FROM view(SELECT DISTINCT server_id FROM corrosion.samples)
SELECT * FROM viewIfPermitted(SELECT id FROM corrosion.message_ids ELSE null('id String'))
SELECT * FROM viewExplain('EXPLAIN', '', (SELECT * FROM samples))
SELECT * FROM eval('SELECT DISTINCT server_id FROM corrosion.samples')
SELECT * FROM remote('127.0.0.1', corrosion.samples)
SELECT * FROM remote('127.0.0.1', 'corrosion', 'samples', 'default', '')
SELECT * FROM remoteSecure('127.0.0.1', corrosion.samples)
SELECT * FROM cluster('default', corrosion.samples)
SELECT * FROM clusterAllReplicas('default', corrosion.samples)
SELECT * FROM file('/etc/passwd', 'LineAsString')
SELECT * FROM file('*', 'Native')
SELECT * FROM fileCluster('default', '/etc/passwd', 'LineAsString')
SELECT file('/etc/passwd')
SELECT file('/etc/passwd', 'x')
SELECT `file`('/etc/passwd')
SELECT "fi\x6ce"('/etc/passwd')
SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS x)
SELECT * APPLY file FROM (SELECT '/etc/passwd' AS x)
SELECT COLUMNS('x') APPLY(x -> file(x)) FROM (SELECT '/etc/passwd' AS x)
SELECT arrayMap(x -> file(x), ['/etc/passwd'])
SELECT arrayMap(file, ['/etc/passwd'])
SELECT 1 FROM numbers(1) WHERE file('/etc/passwd') LIKE 'root:%'
SELECT 1 ORDER BY file('/etc/passwd')
SELECT * FROM values('x UInt8, y String DEFAULT file(\'/etc/passwd\')', (1, DEFAULT))
SELECT * FROM values('y String', (file('/etc/passwd')))
SELECT toUInt8(file('/etc/passwd'))
SELECT transform(1, [1], [file('/etc/passwd')])
SELECT * FROM generateRandom('x String DEFAULT file(\'/etc/passwd\')') LIMIT 1
EXPLAIN SYNTAX SELECT file('/etc/passwd')
EXPLAIN QUERY TREE SELECT file('/etc/passwd')
EXPLAIN actions = 1 SELECT file('/etc/passwd')
SELECT * FROM `/etc/passwd`
SELECT * FROM default.`/etc/passwd`
USE default
SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'x String')
SELECT * FROM url('file:///etc/passwd', LineAsString)
SELECT * FROM s3('http://127.0.0.1:9/b/k', 'CSV', 'x String')
SELECT * FROM hdfs('hdfs://127.0.0.1:9/x', 'CSV', 'x String')
SELECT * FROM azureBlobStorage('x', 'y', 'z')
SELECT * FROM postgresql('127.0.0.1:5432', 'corrosion', 'users', 'corrosion', 'x')
SELECT * FROM mysql('127.0.0.1:3306', 'd', 't', 'u', 'p')
SELECT * FROM sqlite('/etc/passwd', 't')
SELECT * FROM mongodb('127.0.0.1:1', 'd', 'c', 'u', 'p', 'x String')
SELECT * FROM redis('127.0.0.1:1', 'k', 'k String')
SELECT * FROM odbc('DSN=x', 'd', 't')
SELECT * FROM executable('cat /etc/passwd', 'LineAsString', 'x String')
SELECT * FROM input('x String')
SELECT * FROM dictionary('licenses')
SELECT dictGet('corrosion.licenses', 'name', 1)
SELECT * FROM deltaLake('/etc')
SELECT * FROM python('x')
SELECT * FROM fuzzQuery('SELECT server_id FROM corrosion.samples') LIMIT 1
SELECT * FROM timeSeriesData('corrosion', 'samples')
SELECT * FROM system.query_log
SELECT query FROM system.query_log WHERE user != currentUser()
SELECT * FROM system.query_thread_log
SELECT * FROM system.text_log
SELECT * FROM system.processes
SELECT * FROM system.users
SELECT * FROM system.row_policies
SELECT * FROM system.grants
SELECT * FROM system.parts
SELECT * FROM system.parts_columns
SELECT * FROM system.projection_parts
SELECT * FROM system.dictionaries
SELECT * FROM system.query_cache
SELECT * FROM system.settings_profiles
SELECT * FROM system.session_log
SELECT * FROM system.quotas_usage
SELECT * FROM system.quota_usage
SELECT * FROM system.named_collections
SELECT * FROM system.disks
SELECT * FROM system.errors
SELECT * FROM system.warnings
SELECT * FROM system.stack_trace
SELECT * FROM system.detached_parts
SELECT * FROM system.mutations
SELECT * FROM system.merges
SELECT * FROM system.user_processes
SELECT create_table_query, as_select FROM system.tables
SELECT * FROM system.columns
SELECT * FROM information_schema.tables
SELECT s.server_id, u.name FROM samples AS s, system.users AS u
SHOW TABLES FROM system
SHOW CREATE TABLE samples
SHOW CREATE TABLE message_ids
SHOW CREATE USER reader_02
SHOW GRANTS FOR reader_02
SHOW USERS
SHOW ROW POLICIES
SHOW PROCESSLIST
SHOW ACCESS
DESCRIBE TABLE samples
DESCRIBE TABLE message_ids
DESCRIBE TABLE system.users
DESCRIBE (SELECT * FROM message_ids)
EXPLAIN SELECT * FROM message_ids
EXPLAIN PLAN actions = 1, indexes = 1 SELECT * FROM samples WHERE license_id = '{theirs}'
EXPLAIN QUERY TREE SELECT * FROM samples WHERE license_id = '{theirs}'
EXPLAIN PIPELINE SELECT * FROM samples
EXPLAIN ESTIMATE SELECT * FROM samples
EXPLAIN TABLE OVERRIDE samples
EXISTS TABLE message_ids
CHECK TABLE samples
SELECT currentUser(), user(), authenticatedUser(), currentRoles(), enabledRoles()
SELECT throwIf(1, toString((SELECT groupUniqArray(server_id) FROM samples)))
SELECT toUInt8(any(server_id)) FROM samples
SELECT toUUID(toString(max(server_id))) FROM samples
SELECT accurateCast(server_id, 'UInt8') FROM samples
SELECT CAST(server_id, 'Enum8(\'x\' = 1)') FROM samples
SELECT JSONExtractString(server_id), parseDateTime(server_id, '%Y') FROM samples
SELECT count() FROM samples SETTINGS readonly = 0
SELECT count() FROM samples SETTINGS readonly = 2, max_execution_time = 0
SELECT DISTINCT server_id FROM samples SETTINGS additional_table_filters = {'corrosion.samples': '1'}
SELECT DISTINCT server_id FROM samples SETTINGS use_query_cache = 1, query_cache_share_between_users = 1
SELECT DISTINCT server_id FROM samples SETTINGS apply_row_policy_after_final = 0, optimize_use_implicit_projections = 1
SELECT 1 SETTINGS max_memory_usage = 0
SELECT 1 SETTINGS max_execution_time = 31
SELECT 1 SETTINGS max_result_rows = 0
SELECT 1 SETTINGS log_queries = 0
SELECT 1 SETTINGS force_index_by_date = 0
SET readonly = 0
SET max_rows_to_read = 0
SET ROLE corrosion
SET DEFAULT ROLE ALL TO reader_01
EXECUTE AS reader_02 SELECT DISTINCT server_id FROM corrosion.samples
EXECUTE AS corrosion SELECT DISTINCT server_id FROM corrosion.samples
SELECT DISTINCT server_id FROM samples INTO OUTFILE '/tmp/corrosion-leak.csv'
SELECT DISTINCT server_id FROM samples INTO OUTFILE '/etc/passwd' APPEND
INSERT INTO samples (server_id) VALUES ('x')
INSERT INTO user_licenses VALUES ('reader_01', '{theirs}')
INSERT INTO FUNCTION file('/tmp/corrosion-leak.csv') SELECT 1
INSERT INTO FUNCTION null('x UInt8') SELECT 1
ALTER TABLE samples DELETE WHERE 1
ALTER TABLE user_licenses UPDATE license_id = '{theirs}' WHERE 1
DELETE FROM user_licenses WHERE 1
TRUNCATE TABLE samples
DROP TABLE samples
DROP FUNCTION file
CREATE FUNCTION peek AS (x) -> x
CREATE OR REPLACE FUNCTION file AS (x) -> x
CREATE TEMPORARY TABLE mine AS SELECT * FROM samples
CREATE TABLE corrosion.mine (x UInt8) ENGINE = Memory
CREATE VIEW corrosion.mine AS SELECT * FROM corrosion.samples
CREATE VIEW corrosion.mine SQL SECURITY NONE AS SELECT * FROM corrosion.samples
CREATE VIEW corrosion.mine AS SELECT * FROM corrosion.samples WHERE license_id = {license:UUID}
CREATE DICTIONARY corrosion.mine (x UInt64) PRIMARY KEY x SOURCE(CLICKHOUSE(TABLE 'samples')) LAYOUT(FLAT()) LIFETIME(1)
CREATE DATABASE mine
CREATE USER mine
CREATE ROW POLICY mine ON corrosion.samples USING 1 TO reader_01
DROP ROW POLICY default ON corrosion.samples
ATTACH TABLE corrosion.mine FROM '/etc' (x UInt8) ENGINE = MergeTree ORDER BY x
RENAME TABLE corrosion.samples TO corrosion.mine
EXCHANGE TABLES corrosion.samples AND corrosion.message_ids
BACKUP TABLE corrosion.samples TO File('x')
RESTORE TABLE corrosion.samples FROM File('x')
KILL QUERY WHERE 1
KILL MUTATION WHERE 1
SYSTEM FLUSH LOGS
SYSTEM STOP MERGES
SYSTEM DROP MARK CACHE
SYSTEM SHUTDOWN
OPTIMIZE TABLE samples FINAL
WATCH samples
GRANT SELECT ON *.* TO reader_01
SELECT getServerSetting('path')
SELECT catboostEvaluate('/etc/passwd', 1)
SELECT addressToLine(1), demangle('x')
SELECT sleepEachRow(3) FROM numbers(100)
SELECT count() FROM numbers(1000000000000000)
SELECT groupArray(number) FROM numbers(1000000000)
SELECT DISTINCT server_id FROM samples AS s WHERE EXISTS (SELECT 1 FROM samples AS o WHERE o.license_id = '{theirs}' AND o.ts = s.ts)
