package move_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/connect/stores"
	"corrosion/schema/move"
	"corrosion/schema/schematest"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// some makes samples of a license over days.
func some(license uuid.UUID, from time.Time, servers, rows int) (all []schema.Sample) {
	rng := rand.New(rand.NewPCG(uint64(from.Unix()), 2))
	for server := range servers {
		for i := range rows {
			at := from.Add(time.Duration(i) * 7 * time.Minute).UnixMilli()
			s := schema.Sample{License: license, ServerID: fmt.Sprintf("s%d", server), TS: at, Epoch: 3, Seq: rng.Uint64() >> 20, ReceivedAt: at}
			s.SetUint(schema.Players, rng.Uint64N(100))
			s.SetFloat(schema.FPS, rng.Float64()*60)
			s.Metrics = []schema.Metric{{Name: "m", Value: rng.Float64()}}
			all = append(all, s)
		}
	}
	return all
}

// answers are figures that readers see.
func answers(t *testing.T, conn driver.Conn) (all []string) {
	t.Helper()
	for _, query := range []string{
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, server_id, count(), sum(seq), sum(players), min(stored_at)) AS r FROM corrosion.samples GROUP BY license_id, server_id ORDER BY license_id, server_id)",
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, server_id, hour, samples, players_avg, fps_min, restarts) AS r FROM corrosion.hourly ORDER BY license_id, server_id, hour)",
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, hour, sum(samples), sum(players_sum), max(fps_max), argMaxMerge(fps_last)) AS r FROM corrosion.license_hourly GROUP BY license_id, hour ORDER BY license_id, hour)",
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, minute, sum(samples), sum(players_sum)) AS r FROM corrosion.license_minutely GROUP BY license_id, minute ORDER BY license_id, minute)",
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, metric, server_id, hour, sum(count), max(max)) AS r FROM corrosion.metrics_hourly GROUP BY license_id, metric, server_id, hour ORDER BY license_id, server_id, hour)",
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, event_id, title) AS r FROM corrosion.events ORDER BY event_id)",
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, hour, peak_players, samples) AS r FROM corrosion.network_hourly ORDER BY license_id, hour)",
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, server_id, min(first_seen), max(last_seen)) AS r FROM corrosion.server_seen GROUP BY license_id, server_id ORDER BY license_id, server_id)",
		"SELECT toString(groupArray(r)) FROM (SELECT (license_id, minute, outcome, sum(count)) AS r FROM corrosion.ingest_log GROUP BY license_id, minute, outcome ORDER BY license_id, minute)",
	} {
		var one string
		if err := conn.QueryRow(t.Context(), query).Scan(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func TestMoveStopsAndGoesOn(t *testing.T) {
	single, c := localtest.NewClickHouse(t), localtest.NewClickHouseCluster(t, 2)
	for _, url := range []string{single.URL(), c.URL()} {
		if _, err := schema.MigrateClickHouse(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
	source, target := schematest.Connect(t, single.URL()), schematest.Connect(t, c.URL())
	fill(t, source)
	ctx, stop := context.WithCancel(t.Context())
	copied := 0
	_, err := move.Move(ctx, single.URL(), c.URL(), func(p move.Progress) {
		if copied++; copied == 4 {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) || copied != 4 {
		t.Fatalf("a run that is stopped after 4 partitions: %v, %d", err, copied)
	}
	// A shard that died between fetching and putting in place has a table beside; more samples come meanwhile.
	license := uuid.New()
	schematest.InsertSamples(t, source, some(license, time.Now().Add(-30*time.Hour), 5, 20))
	equal := 0
	result, err := move.Move(t.Context(), single.URL(), c.URL(), func(p move.Progress) {
		if p.Rows == 0 {
			equal++
		}
		if p.Done == p.Total && p.Total < 10 {
			t.Errorf("%d partitions in all", p.Total)
		}
	})
	if err != nil || equal < 2 || result.Copied == 0 {
		t.Fatalf("the run that goes on: %+v, %d partitions were equal: %v", result, equal, err)
	}
	want, got := answers(t, source), answers(t, target)
	for i := range want {
		if want[i] != got[i] {
			t.Errorf("the server and the cluster differ:\n%.500s\n%.500s", want[i], got[i])
		}
	}
	if again, err := move.Move(t.Context(), single.URL(), c.URL(), func(move.Progress) {}); err != nil || again.Copied != 0 {
		t.Errorf("a third run copied %+v: %v", again, err)
	}
	onShards(t, target)
	schematest.InsertSamples(t, target, some(uuid.New(), time.Now().Add(-30*time.Hour), 1, 20))
	if _, err := move.Move(t.Context(), single.URL(), c.URL(), func(move.Progress) {}); !errors.Is(err, move.ErrInService) {
		t.Errorf("into a cluster with rows of its own: %v", err)
	}
	refusals(t, single, c)
}

func fill(t *testing.T, source driver.Conn) {
	t.Helper()
	license := uuid.New()
	for day := range 4 {
		schematest.InsertSamples(t, source, some(license, time.Now().Add(-time.Duration(day*24+3)*time.Hour), 9, 100))
	}
	for _, statement := range []string{
		"INSERT INTO corrosion.event_log (license_id, ts, event_id, kind, title, version) SELECT ?, now() - number * 86400, generateUUIDv4(), 'note', toString(number), 1 FROM numbers(20)",
		"INSERT INTO corrosion.network_hours SELECT ?, toStartOfHour(now()) - number * 3600, number, NULL, 1, 1, number, 1 FROM numbers(50)",
		"INSERT INTO corrosion.ingest_log SELECT ?, toStartOfMinute(now()) - number * 600, 'accepted', number, 7 FROM numbers(300)",
		// Hours whose samples have expired.
		"INSERT INTO corrosion.samples_hourly (license_id, server_id, hour, samples, players_count, players_sum) SELECT ?, concat('s', toString(number % 9)), toStartOfHour(now() - INTERVAL 30 DAY), 5, 5, number FROM numbers(90)",
	} {
		if err := source.Exec(t.Context(), statement, license); err != nil {
			t.Fatal(err)
		}
	}
	if err := source.Exec(t.Context(), "INSERT INTO corrosion.license_hourly (license_id, hour, samples, players_count, players_sum) SELECT license_id, hour, sum(samples), sum(players_count), sum(players_sum) FROM corrosion.samples_hourly WHERE hour < now() - INTERVAL 20 DAY GROUP BY license_id, hour"); err != nil {
		t.Fatal(err)
	}
}

// onShards wants every server's rows on its own shard.
func onShards(t *testing.T, target driver.Conn) {
	t.Helper()
	shards, err := stores.Shards(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	for i, shard := range shards {
		var rows, wrong, left uint64
		err := shard.QueryRow(t.Context(), "SELECT count(), countIf(cityHash64(license_id, server_id) % 2 != ?), (SELECT count() FROM system.tables WHERE database = 'corrosion' AND startsWith(name, 'move_')) FROM corrosion.samples", i).Scan(&rows, &wrong, &left)
		if err != nil || rows == 0 || wrong > 0 || left > 0 {
			t.Errorf("shard %d has %d rows, %d of the other's servers, %d tables beside: %v", i+1, rows, wrong, left, err)
		}
	}
}

func refusals(t *testing.T, single *localtest.ClickHouseServer, c *localtest.ClickHouseCluster) {
	t.Helper()
	empty := localtest.NewClickHouse(t)
	f := func(from, to, want string) {
		t.Helper()
		if _, err := move.Move(t.Context(), from, to, func(move.Progress) {}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), localtest.Password) {
			t.Errorf("from %s to %s: %v, want %q", from, to, err, want)
		}
	}
	f(c.URL(), c.URL(), "single server")
	f(single.URL(), single.URL(), "name a cluster")
	f(single.URL(), single.URL()+"?cluster=elsewhere", "knows no cluster")
	f(empty.URL(), c.URL(), "copied")
	f(strings.Split(c.URL(), "?")[0], c.URL(), "node of the cluster")
}
