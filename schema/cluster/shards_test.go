package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
	"corrosion/schema/schematest"
)

func TestHashIsClickHouses(t *testing.T) {
	conn := schematest.ClickHouse(t)
	for i := range 100 {
		license, server := uuid.New(), strings.Repeat("s", i%65)+fmt.Sprint(i)
		var want uint64
		if err := conn.QueryRow(t.Context(), "SELECT cityHash64(toUUID(?), toLowCardinality(?))", license, server).Scan(&want); err != nil {
			t.Fatal(err)
		}
		if got := cluster.Hash(license, server); got != want {
			t.Fatalf("Hash(%s, %s) = %d, want %d", license, server, got, want)
		}
	}
	slots := cluster.NewSlots([]uint32{1, 0, 3})
	counts := map[int]int{}
	for i := range 4000 {
		counts[slots.Of(uuid.New(), fmt.Sprint(i))]++
	}
	if counts[1] != 0 || counts[0] < 800 || counts[0] > 1200 {
		t.Errorf("weights 1, 0 and 3 got %v of 4,000 servers", counts)
	}
}

// The cluster that the environment names may be replicated and have a Keeper, which the packaged engine cannot.
func TestGivenCluster(t *testing.T) {
	url := os.Getenv("CORROSION_TEST_CLUSTER_URL")
	if url == "" {
		t.Skip("CORROSION_TEST_CLUSTER_URL names no cluster that may be filled")
	}
	shards(t, url)
}

func TestTwoShards(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2)
	shards(t, c.URL())
	alone := strings.Split(c.URL(), "?")[0]
	if _, err := schema.MigrateClickHouse(t.Context(), alone); err == nil || !strings.Contains(err.Error(), "cluster") {
		t.Errorf("a node was migrated as if it were alone: %v", err)
	}
	single := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), single.URL()); err != nil {
		t.Fatal(err)
	}
	if _, err := schema.MigrateClickHouse(t.Context(), single.URL()+"?cluster=shards"); err == nil || !strings.Contains(err.Error(), "knows no cluster") {
		t.Errorf("a server that knows no cluster was migrated as one: %v", err)
	}
}

// shards migrates a cluster, fills it through its Distributed tables, and looks at where rows and rollups are.
func shards(t *testing.T, url string) {
	t.Helper()
	for i, want := range []bool{true, false} {
		applied, err := schema.MigrateClickHouse(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && applied > 0 != want {
			t.Errorf("migration %d applied %d", i+1, applied)
		}
	}
	nodes, err := schema.Nodes(t.Context(), url)
	if err != nil || len(nodes) < 2 {
		t.Fatal(nodes, err)
	}
	for _, n := range nodes {
		if v, err := schema.NodeVersion(t.Context(), url, n); err != nil || !v.Current() {
			t.Errorf("node %+v: %+v, %v", n, v, err)
		}
	}
	conn := schematest.Connect(t, url)
	license, samples := someSamples()
	schematest.InsertSamples(t, conn, samples)
	number := func(query string) (n uint64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), query, license).Scan(&n); err != nil {
			t.Fatal(query, err)
		}
		return n
	}
	for query, want := range map[string]uint64{
		"SELECT count() FROM corrosion.samples WHERE license_id = ?":                                                                                             uint64(len(samples)),
		"SELECT sum(samples) FROM corrosion.samples_hourly WHERE license_id = ?":                                                                                 uint64(len(samples)),
		"SELECT sum(samples) FROM corrosion.hourly WHERE license_id = ?":                                                                                         uint64(len(samples)),
		"SELECT sum(samples) FROM corrosion.license_minutely WHERE license_id = ?":                                                                               uint64(len(samples)),
		"SELECT sum(samples) FROM corrosion.license_hourly WHERE license_id = ?":                                                                                 uint64(len(samples)),
		"SELECT count() FROM (SELECT server_id FROM corrosion.samples WHERE license_id = ? GROUP BY server_id HAVING uniqExact(shardNum()) > 1)":                 0,
		"SELECT uniqExact(shardNum()) FROM corrosion.samples WHERE license_id = ?":                                                                               uint64(len(nodesOfShards(nodes))),
		"SELECT count() FROM corrosion.samples WHERE license_id = ? AND (license_id, server_id) IN (SELECT license_id, server_id FROM corrosion.samples_hourly)": uint64(len(samples)),
	} {
		if got := number(query); got != want {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
	retention(t, url)
	each, err := stores.Shards(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for i, shard := range each {
		var n uint64
		if err := shard.QueryRow(t.Context(), "SELECT countIf(cityHash64(license_id, server_id) % ? != ?) FROM corrosion.samples WHERE license_id = ?", len(each), i, license).Scan(&n); err != nil || n > 0 {
			t.Errorf("shard %d has %d rows of others' servers: %v", i+1, n, err)
		}
	}
}

func nodesOfShards(nodes []schema.Node) map[int]bool {
	all := map[int]bool{}
	for _, n := range nodes {
		all[n.Shard] = true
	}
	return all
}

func retention(t *testing.T, url string) {
	t.Helper()
	conn := schematest.Connect(t, url)
	want := schema.Retention{Raw: 3 * 24 * time.Hour, Hourly: 30 * 24 * time.Hour}
	if losses, err := schema.Losses(t.Context(), conn, want); err != nil || len(losses) == 0 {
		t.Errorf("losses: %v, %v", losses, err)
	}
	if err := schema.ApplyRetention(t.Context(), conn, want); err != nil {
		t.Fatal(err)
	}
	each, err := stores.Shards(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for i, shard := range append(each, conn) {
		if got, err := schema.ReadRetention(t.Context(), shard); err != nil || got != want {
			t.Errorf("shard %d keeps %+v: %v", i+1, got, err)
		}
	}
	if err := schema.ApplyRetention(t.Context(), conn, schema.DefaultRetention()); err != nil {
		t.Error(err)
	}
}

func someSamples() (uuid.UUID, []schema.Sample) {
	license, rng := uuid.New(), rand.New(rand.NewPCG(1, 2))
	var all []schema.Sample
	for i := range 3000 {
		at := time.Now().Add(-time.Duration(i) * time.Second).UnixMilli()
		s := schema.Sample{License: license, ServerID: fmt.Sprintf("s%d", i%37), TS: at, Epoch: 3, Seq: uint64(i), ReceivedAt: at}
		s.SetUint(schema.Players, rng.Uint64N(100))
		all = append(all, s)
	}
	return license, all
}
