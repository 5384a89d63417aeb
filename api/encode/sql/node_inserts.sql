SELECT
    shardNum() AS node,
    toInt64(ceil(maxIf(elapsed, query_kind IN ('Insert', 'AsyncInsertFlush') AND position(query, 'samples') > 0) * 1000)) AS oldest_ms
FROM clusterAllReplicas({cluster:Identifier}, system.processes)
GROUP BY node
FORMAT TabSeparated
