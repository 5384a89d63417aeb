package sqlaccess

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/connect/stores"
	"corrosion/schema/schematest"
)

// On two shards a reader sees its own license's rows of both, and nobody else's, whichever way it asks.
func TestReaderOnTwoShards(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2, localtest.WithReaders(
		local.Reader{Name: myReader, Password: myPassword}, local.Reader{Name: theirReader, Password: "their-password"}))
	if _, err := schema.MigrateClickHouse(t.Context(), c.URL()); err != nil {
		t.Fatal(err)
	}
	w := &world{server: c.Nodes[0], conn: schematest.Connect(t, c.URL()), mine: uuid.New(), theirs: uuid.New()}
	shards, err := stores.Shards(t.Context(), w.conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards {
		for reader, license := range map[string]uuid.UUID{myReader: w.mine, theirReader: w.theirs} {
			if err := shard.Exec(t.Context(), mapUser, reader, license); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, server := range []string{"a", "b", "c", "d", "e"} {
		w.fill(t, w.mine, "mine-"+server, 1)
		w.fill(t, w.theirs, "foreign-server", foreignPlayers)
	}
	for query, want := range map[string]string{
		"SELECT count(), uniqExact(server_id), uniqExact(shardNum()) FROM corrosion.samples": "15000\t5\t2",
		"SELECT sum(samples) FROM hourly":                                                              "15000",
		"SELECT uniqExact(license_id) FROM network_hourly":                                             "1",
		"SELECT uniqExact(license_id) FROM corrosion_shard.samples":                                    "1",
		"SELECT count() FROM samples WHERE license_id = '" + w.theirs.String() + "'":                   "0",
		"SELECT count() FROM samples WHERE server_id GLOBAL IN (SELECT server_id FROM samples_hourly)": "15000",
	} {
		if got, err := w.asReader(t.Context(), query); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%s: %q, %v; want %q", query, got, err, want)
		}
	}
	for _, query := range []string{
		"SELECT * FROM cluster('shards', corrosion_shard, samples)", "SELECT * FROM clusterAllReplicas('shards', system.processes)",
		"SELECT * FROM remote('127.0.0.1', corrosion_shard, samples)", "INSERT INTO corrosion.samples (server_id) VALUES ('x')",
	} {
		if got, err := w.asReader(t.Context(), query); err == nil {
			t.Errorf("%s was answered: %.200q", query, got)
		}
	}
}

// Each statement about a table is for the node's own table and for the one over all shards.
func TestStatementsOnANode(t *testing.T) {
	got := onNode([]string{"CREATE ROLE r", "GRANT SELECT ON corrosion.samples TO r"}, true)
	want := []string{"CREATE ROLE r", "GRANT SELECT ON corrosion.samples TO r", "GRANT SELECT ON `corrosion`.samples TO r"}
	if !slices.Equal(got, want) || len(onNode(want, false)) != 3 {
		t.Errorf("got %q", got)
	}
}
