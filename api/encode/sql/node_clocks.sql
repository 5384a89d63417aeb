SELECT shardNum() AS node, max(toUnixTimestamp64Milli(nowInBlock64(3))) AS ms
FROM clusterAllReplicas({cluster:Identifier}, system.one)
GROUP BY node
FORMAT TabSeparated
