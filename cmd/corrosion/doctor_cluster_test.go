package main

import (
	"strings"
	"testing"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// Doctor looks at each node of a cluster, and says of one that is away, that is behind, or of a cluster that nobody
// knows, what to do.
func TestDoctorOnACluster(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2)
	f := func(url string, words ...string) {
		t.Helper()
		_, out := doctor(t, "--data", t.TempDir(), "--clickhouse-url", url)
		for _, word := range words {
			if !strings.Contains(out, word) {
				t.Errorf("%q is missing in:\n%s", word, out)
			}
		}
		if strings.Contains(out, localtest.Password) {
			t.Errorf("the password is shown:\n%s", out)
		}
	}
	f(c.URL(), "2 shards, 2 nodes", "run `corrosion migrate`")
	if _, err := schema.MigrateClickHouse(t.Context(), c.URL()); err != nil {
		t.Fatal(err)
	}
	f(c.URL(), "it reaches every node", "its cluster has the same nodes", "is current", "raw kept 7 days, hours 90")
	f(strings.Replace(c.URL(), "cluster=shards", "cluster=elsewhere", 1), "knows no cluster", "remote_servers")
	f(strings.Replace(c.URL(), "&replicated=false", "", 1), "Keeper")
	c.Nodes[1].Stop(t)
	f(c.URL(), "check host, port", "open the native port")
	c.Nodes[1].Start(t)
}
