package cluster_test

import (
	"testing"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestScratch(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2)
	n, err := schema.MigrateClickHouse(t.Context(), c.URL())
	t.Log(n, err)
	if err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, c.URL())
	for _, q := range []string{
		"INSERT INTO corrosion.samples (license_id, server_id, ts, received_at, epoch, seq, idx, players) SELECT toUUID('00000000-0000-4000-8000-00000000d340'), toString(number % 20), now() - intDiv(number, 20), now(), 1, number, 0, number FROM numbers(1000)",
	} {
		if err := conn.Exec(t.Context(), q); err != nil {
			t.Error(q, err)
		}
	}
	for _, q := range []string{
		"SELECT toString(groupArray((sh, c, u))) FROM (SELECT _shard_num AS sh, count() AS c, uniqExact(server_id) AS u FROM corrosion.samples GROUP BY sh)",
		"SELECT toString(groupArray((sh, c))) FROM (SELECT shardNum() AS sh, count() AS c FROM corrosion.samples GROUP BY sh)",
		"SELECT toString(groupArray((sh, h))) FROM (SELECT shardNum() AS sh, hour AS h FROM corrosion.samples_hourly ORDER BY hour LIMIT 1 BY h, sh)",
		"SELECT toString(groupArray((sh, h))) FROM (SELECT shardNum() AS sh, hour AS h FROM corrosion_shard.samples_hourly ORDER BY hour LIMIT 1 BY h, sh)",
		"SELECT toString(groupArray((sh, h, m))) FROM (SELECT shardNum() AS sh, hour AS h, max(samples) AS m FROM corrosion.samples_hourly GROUP BY sh, h)",
		"SELECT toString(groupArray((license_id, sh))) FROM (SELECT shardNum() AS sh, license_id, count() FROM corrosion.hourly GROUP BY sh, license_id)",
		"SELECT toString(groupArray((name, engine))) FROM system.tables WHERE database = 'corrosion'",
		"SELECT toString(cityHash64(toUUID('00000000-0000-4000-8000-00000000d340'), 'abc'))",
		"SELECT toString(count()) FROM corrosion.samples WHERE (license_id, server_id) IN (SELECT license_id, server_id FROM corrosion.samples_hourly)",
		"SELECT toString(groupArray((query_id, is_initial_query, initial_query_id = query_id))) FROM clusterAllReplicas('shards', system.processes)",
		"SELECT toString(groupArray((cluster, shard_num, shard_weight, host_name, port))) FROM system.clusters",
	} {
		var s string
		if err := conn.QueryRow(t.Context(), q).Scan(&s); err != nil {
			t.Error(q, err)
		}
		t.Log(q, "\n=>", s)
	}
}
