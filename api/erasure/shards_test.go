package erasure

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/connect/stores"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// A license is erased from every table of both shards, counted together, and another one loses nothing on either.
func TestEraseFromTwoShards(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2)
	if _, err := schema.MigrateClickHouse(t.Context(), c.URL()); err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, c.URL())
	shards, err := stores.Shards(t.Context(), conn)
	if err != nil || len(shards) != 2 {
		t.Fatal(shards, err)
	}
	ours, theirs := uuid.New(), uuid.New()
	for _, license := range []uuid.UUID{ours, theirs} {
		schematest.InsertSamples(t, conn, hundred(license))
		if err := conn.Exec(t.Context(), "INSERT INTO corrosion.event_log (license_id, event_id, ts, kind, title) VALUES (?, generateUUIDv4(), now(), 'note', 'a mark')", license); err != nil {
			t.Fatal(err)
		}
	}
	stored := func(license uuid.UUID) map[string]uint64 {
		t.Helper()
		all := map[string]uint64{}
		for i, shard := range shards {
			tables, err := tablesOf(t.Context(), shard)
			if err != nil {
				t.Fatal(err)
			}
			for _, table := range tables {
				n, err := count(t.Context(), shard, table, license)
				if err != nil {
					t.Fatal(err)
				}
				if n > 0 {
					all[fmt.Sprintf("%s on shard %d", table, i+1)] = n
				}
			}
		}
		return all
	}
	before, found := stored(theirs), Counts{}
	for _, place := range []string{"samples on shard 1", "samples on shard 2", "samples_hourly on shard 1", "samples_hourly on shard 2"} {
		if before[place] == 0 {
			t.Fatalf("%s has nothing to erase: %v", place, before)
		}
	}
	w := &Worker{deps: Deps{ClickHouse: conn}}
	if err := w.eraseClickHouse(t.Context(), ours, found); err != nil {
		t.Fatal(err)
	}
	if left := stored(ours); len(left) > 0 || found["clickhouse.samples"] != 100 || found["clickhouse.event_log"] != 1 {
		t.Errorf("left: %v; found: %v", left, found)
	}
	after := stored(theirs)
	for _, place := range []string{"samples on shard 1", "samples on shard 2"} {
		if after[place] != before[place] {
			t.Errorf("of another license, %s had %d rows and has %d", place, before[place], after[place])
		}
	}
}

// hundred are samples of twenty servers.
func hundred(license uuid.UUID) (all []schema.Sample) {
	for n := range 100 {
		at := time.Now().Add(-time.Duration(n) * time.Minute).UnixMilli()
		s := schema.Sample{License: license, ServerID: fmt.Sprintf("s%d", n%20), TS: at, Epoch: 3, Seq: uint64(n), ReceivedAt: at}
		s.SetUint(schema.Players, uint64(n))
		all = append(all, s)
	}
	return all
}
