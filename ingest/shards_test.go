package ingest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
	"corrosion/schema/wire"
)

// Both tests use one cluster: starting and migrating it takes longer than they do.
func TestTwoShards(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2)
	if _, err := schema.MigrateClickHouse(t.Context(), c.URL()); err != nil {
		t.Fatal(err)
	}
	t.Run("BatchIsStoredShardByShard", func(t *testing.T) { batchIsStoredShardByShard(t, c) })
	t.Run("ShardKilledLosesNothing", func(t *testing.T) { shardKilledLosesNothing(t, c) })
}

// A shard that is killed and started again in mid-ingest loses nothing and doubles nothing, in tables and rollups; each
// server's rows are on one shard.
func shardKilledLosesNothing(t *testing.T, c *localtest.ClickHouseCluster) {
	t.Helper()
	r := newRig(t, rigOptions{clickhouse: c.URL()})
	license := r.licenses.add()
	sent := uint64(0)
	publish := func(messages int) {
		for range messages {
			var body []byte
			for n := range 50 {
				s := testSample(n)
				s.ServerID, s.TS = fmt.Sprintf("server-%d", n), time.Now().UnixMilli()
				s.SetUint(schema.N, r.counter.Add(1))
				body = append(wire.AppendJSON(body, &s), '\n')
			}
			r.publish(schema.StatsSubject(license), body)
			sent += 50
			time.Sleep(5 * time.Millisecond)
		}
	}
	publish(40)
	for _, down := range []int{1, 0} {
		c.Nodes[down].Kill(t)
		publish(40)
		c.Nodes[down].Start(t)
		publish(20)
	}
	r.waitStored(license, sent, 120*time.Second)
	r.waitAcked(60 * time.Second)
	r.waitHealthy()
	var hourly, spread, both uint64
	for query, into := range map[string]*uint64{
		"SELECT sum(samples) FROM corrosion.samples_hourly WHERE license_id = ?":                                                                 &hourly,
		"SELECT count() FROM (SELECT server_id FROM corrosion.samples WHERE license_id = ? GROUP BY server_id HAVING uniqExact(shardNum()) > 1)": &spread,
		"SELECT uniqExact(shardNum()) FROM corrosion.samples WHERE license_id = ?":                                                               &both,
	} {
		if err := r.query(query, []any{license}, into); err != nil {
			t.Fatal(err)
		}
	}
	// What is in doubt after a kill may lack its view's rows; the aggregator puts that right, never a row.
	if hourly > sent || spread != 0 || both != 2 {
		t.Errorf("%d samples sent, %d in the hours; %d servers on both shards; %d shards hold rows", sent, hourly, spread, both)
	}
}

// While one shard takes no INSERT the other's part is stored, and is not sent again.
func batchIsStoredShardByShard(t *testing.T, c *localtest.ClickHouseCluster) {
	t.Helper()
	config := DefaultConfig()
	config.ClickHouseURL, config.InsertTimeout = c.URL(), 20*time.Second
	s, err := newStore(config, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	license := uuid.New()
	b := newBatch()
	b.id = uuid.NewString()
	for n := range 200 {
		sample := testSample(n)
		sample.ServerID, sample.License, sample.TS = fmt.Sprintf("s%d", n/10), license, time.Now().UnixMilli()
		sample.Epoch, sample.Seq, sample.Idx = 5, uint64(n/5)+1, uint16(n%5)
		b.Append(&sample)
		if n%5 == 0 {
			b.owe(receipt{epoch: 5, seq: sample.Seq, first: n, rows: 5}, time.Now())
		}
	}
	conn := schematest.Connect(t, c.URL())
	lock := func(shard int, until string) {
		one := schematest.Connect(t, c.Nodes[shard].URL())
		if err := one.Exec(t.Context(), "INSERT INTO corrosion_shard.healing SELECT 1, 'test', "+until); err != nil {
			t.Fatal(err)
		}
	}
	lock(1, "now64(6) + 600")
	if err := s.insert(t.Context(), b); !errors.Is(err, errHealing) || !b.parts[0].attempt.done || b.parts[1].attempt.done {
		t.Fatalf("while the second shard is healed: %v", err)
	}
	lock(1, "now64(6)")
	time.Sleep(2 * time.Millisecond)
	localtest.CheckFor(t, time.Minute, 20*time.Millisecond, func() error { return s.insert(t.Context(), b) })
	for _, part := range b.parts {
		part.attempt.done = false // as if both answers had been lost
	}
	localtest.CheckFor(t, time.Minute, 20*time.Millisecond, func() error { return s.insert(t.Context(), b) })
	var rows, hourly, distinct uint64
	if err := conn.QueryRow(t.Context(), "SELECT count(), uniqExact(seq, idx, server_id, players) FROM corrosion.samples WHERE license_id = ?", license).Scan(&rows, &distinct); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), "SELECT sum(samples) FROM corrosion.samples_hourly WHERE license_id = ?", license).Scan(&hourly); err != nil {
		t.Fatal(err)
	}
	if rows != 200 || distinct != 200 || hourly != 200 || b.rows != 200 {
		t.Errorf("%d rows, %d distinct, %d in the hours, %d counted; want 200 of each", rows, distinct, hourly, b.rows)
	}
}
