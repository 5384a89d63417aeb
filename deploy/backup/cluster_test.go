package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"corrosion/deploy/backup"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/cluster"
	"corrosion/schema/connect/stores"
	"corrosion/schema/move"
	"corrosion/schema/schematest"
)

// A backup of two shards, taken while an ingester stores, is one server afterwards that answers as the cluster did at that
// instant; what waited is stored there once. From there its rows go into a cluster of three shards, which answers the same and
// takes what waits. Files that are damaged are named, a cluster is no place to restore into, and a shard that is away is an error.
func TestBackupOfACluster(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2)
	from := newSiteOn(t, c)
	if _, err := schema.Migrate(t.Context(), from.platform.ClickHouseURL, from.platform.PostgresURL); err != nil {
		t.Fatal(err)
	}
	license := spreadLicense()
	fill(from, license)
	from.start()
	from.publish(license, 100)
	from.drained()
	from.stop()
	from.network(license)
	from.publish(license, 60) // these wait
	if err := os.WriteFile(filepath.Join(from.platform.ModuleDir, "LootManager.cs"), []byte("class"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	target := mustOpen(t, dir)
	var was []string
	held := 0
	m, err := backup.Take(t.Context(), from.platform, target, func(step string, _, _ int64) {
		switch {
		case strings.Contains(step, "EVENTS") && held == 0: // STATS has been looked at
			held = 1
			from.publish(license, 40)
			from.start()
			from.drained()
		case strings.HasPrefix(step, "ClickHouse") && held == 1: // the instant is over
			held = from.n
			was = from.answers()
			from.publish(license, 20)
			from.drained()
		}
	})
	if err != nil || held < 2 {
		t.Fatalf("backup: %v, samples came meanwhile %d", err, held)
	}
	from.stop()
	clean(t, c)
	manifestOfShards(t, m)
	damagedShard(t, from, target, dir, m)
	if _, err := backup.Restore(t.Context(), from.platform, target, quiet); !errors.Is(err, backup.ErrCluster) || !strings.Contains(err.Error(), "corrosion migrate --clickhouse-url SERVER --to CLUSTER") {
		t.Errorf("into a cluster: %v", err)
	}
	to := restored(t, target, m)
	compare(t, was, to)
	compareAccounts(t, from, to)
	to.n = held
	to.start()
	to.drained()
	to.publish(license, 50)
	to.drained()
	to.stop()
	to.storedOnce()
	if all, twice := to.letters(); all != 27 || twice != 0 { // they are taken last
		t.Errorf("%d dead letters, %d of them twice; want 27", all, twice)
	}
	totals(t, to)
	intoCluster(t, to, license)
	shardAway(t, c, from)
}

// intoCluster brings what a server has into an empty cluster, where the roles go on beside the same streams.
func intoCluster(t *testing.T, server *site, license uuid.UUID) {
	t.Helper()
	c := localtest.NewClickHouseCluster(t, 3)
	if _, err := schema.MigrateClickHouse(t.Context(), c.URL()); err != nil {
		t.Fatal(err)
	}
	server.publish(license, 30) // these wait
	if _, err := move.Move(t.Context(), server.platform.ClickHouseURL, c.URL(), func(move.Progress) {}); err != nil {
		t.Fatal(err)
	}
	on := *server
	on.ch = schematest.Connect(t, c.URL())
	on.platform.ClickHouse, on.platform.ClickHouseURL, on.platform.ClickHouseHTTPURL = on.ch, c.URL(), c.HTTPURL()
	compare(t, server.answers(), &on)
	on.start()
	on.drained()
	on.stop()
	on.storedOnce()
}

// spreadLicense has servers on both of two shards.
func spreadLicense() uuid.UUID {
	slots := cluster.NewSlots([]uint32{1, 1})
	for {
		if id := uuid.New(); slots.Of(id, "s0") != slots.Of(id, "s1") {
			return id
		}
	}
}

// network writes hours of a whole network, one of them twice, as the aggregator does; and rows of a server on either shard, as
// they are where the number of shards has changed.
func (s *site) network(license uuid.UUID) {
	s.t.Helper()
	for _, version := range []int{1, 2} {
		if err := s.ch.Exec(s.t.Context(), "INSERT INTO corrosion.network_hours SELECT ?, toStartOfHour(now()) - number * 3600, number * ?, NULL, 1, 1, number, ? FROM numbers(50)", license, version, version); err != nil {
			s.t.Fatal(err)
		}
	}
	shards, err := stores.Shards(s.t.Context(), s.ch)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, shard := range shards {
		if err := shard.Exec(s.t.Context(), "INSERT INTO corrosion.server_seen SELECT ?, 'moved', toDateTime64('2026-11-01 00:00:00', 3, 'UTC') + ?, toDateTime64('2026-11-02 00:00:00', 3, 'UTC') + ?", license, i, i); err != nil {
			s.t.Fatal(err)
		}
	}
}

func questions() []string {
	const of = "SELECT toString((count(), groupArray(r))) FROM (SELECT "
	return []string{
		"SELECT toString((count(), min(ts), max(ts), sum(cityHash64(license_id, server_id, ts, n, players, fps, metrics, epoch, seq, idx, received_at, stored_at)))) FROM corrosion.samples",
		of + "(license_id, server_id, hour, samples, players_avg, players_max, fps_avg, fps_min, fps_p05, fps_p50, restarts) AS r FROM corrosion.hourly ORDER BY license_id, server_id, hour)",
		of + "(license_id, hour, sum(samples), sum(players_sum), max(fps_max), argMaxMerge(fps_last), quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_sketch)) AS r FROM corrosion.license_hourly GROUP BY license_id, hour ORDER BY license_id, hour)",
		of + "(license_id, minute, sum(samples), sum(players_sum), min(fps_min), argMaxMerge(fps_last), quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_sketch)) AS r FROM corrosion.license_minutely GROUP BY license_id, minute ORDER BY license_id, minute)",
		of + "(license_id, metric, server_id, hour, sum(count), sum(sum), max(max)) AS r FROM corrosion.metrics_hourly GROUP BY license_id, metric, server_id, hour ORDER BY license_id, metric, server_id, hour)",
		of + "(license_id, hour, peak_players, samples) AS r FROM corrosion.network_hourly ORDER BY license_id, hour)",
		of + "(license_id, event_id, ts, title) AS r FROM corrosion.events ORDER BY license_id, event_id)",
		of + "(license_id, server_id, min(first_seen), max(last_seen)) AS r FROM corrosion.server_seen GROUP BY license_id, server_id ORDER BY license_id, server_id)",
		of + "(license_id, id, epoch, seq) AS r FROM corrosion.message_ids ORDER BY id)",
	}
}

func (s *site) answers() (all []string) {
	for _, query := range questions() {
		all = append(all, s.must(query))
	}
	return all
}

func compare(t *testing.T, was []string, to *site) {
	t.Helper()
	for i, is := range to.answers() {
		if was[i] != is {
			t.Errorf("%s:\nbefore %.900s\nafter  %.900s", questions()[i], was[i], is)
		}
	}
}

// totals are computed anew by a server that was restored from shards, and add up to what is counted.
func totals(t *testing.T, to *site) {
	t.Helper()
	for _, statement := range []string{"SYSTEM REFRESH VIEW corrosion.license_minutely_totals_rest", "SYSTEM WAIT VIEW corrosion.license_minutely_totals_rest"} {
		if err := to.ch.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	const yesterday = " WHERE minute < now() - toIntervalHour(12)"
	has := to.must("SELECT toString((count(), sum(samples))) FROM (SELECT license_id, minute, argMax(t.samples, built_at) AS samples FROM corrosion.license_minutely_totals AS t" + yesterday + " GROUP BY license_id, minute)")
	want := to.must("SELECT toString((count(), sum(samples))) FROM (SELECT license_id, minute, sum(t.samples) AS samples FROM corrosion.license_minutely AS t" + yesterday + " GROUP BY license_id, minute)")
	if has != want || has == "(0,0)" {
		t.Errorf("minutes and samples of totals are %s, want %s", has, want)
	}
}

func manifestOfShards(t *testing.T, m *backup.Manifest) {
	t.Helper()
	if m.ClickHouse.Shards != 2 || m.Format != 2 {
		t.Errorf("%d shards, format %d", m.ClickHouse.Shards, m.Format)
	}
	for _, table := range m.ClickHouse.Tables {
		found := map[string]bool{}
		for _, f := range table.Files {
			folders := strings.Split(f.Path, "/")
			found[folders[1]] = true
			if len(folders) != 4 || folders[2] != table.Name {
				t.Errorf("%s has a file %s", table.Name, f.Path)
			}
		}
		if table.Name == "samples" && (!found["shard-1"] || !found["shard-2"] || len(found) != 2) {
			t.Errorf("samples lie in %v", found)
		}
		if strings.HasSuffix(table.Name, "_totals") {
			t.Errorf("%s is in the backup", table.Name)
		}
	}
}

// damagedShard flips a bit of one shard's samples and puts it right again.
func damagedShard(t *testing.T, s *site, target backup.Target, dir string, m *backup.Manifest) {
	t.Helper()
	for _, f := range m.Files() {
		if !strings.HasPrefix(f.Path, "clickhouse/shard-2/samples/") {
			continue
		}
		file := filepath.Join(dir, f.Path)
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body[len(body)/2] ^= 1
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		server := s.platform
		server.ClickHouseURL = strings.Split(server.ClickHouseURL, "?")[0]
		_, checked := backup.Check(t.Context(), target, quiet)
		_, restored := backup.Restore(t.Context(), server, target, quiet)
		for _, err := range []error{checked, restored} {
			if !errors.Is(err, backup.ErrDamaged) || !strings.Contains(err.Error(), f.Path) || strings.Contains(err.Error(), "shard-1") {
				t.Errorf("a flipped bit in %s: %v", f.Path, err)
			}
		}
		body[len(body)/2] ^= 1
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error("the second shard has no samples")
}

// shardAway kills a shard while it is copied, and leaves it away at the next try; a backup after its return finds and leaves nothing.
func shardAway(t *testing.T, c *localtest.ClickHouseCluster, from *site) {
	t.Helper()
	const named = "shard 2 of ClickHouse"
	var kill sync.Once
	_, err := backup.Take(t.Context(), from.platform, mustOpen(t, filepath.Join(t.TempDir(), "x")), func(step string, _, _ int64) {
		if strings.HasPrefix(step, "ClickHouse") {
			kill.Do(func() { c.Nodes[1].Kill(t) })
		}
	})
	if err == nil || !strings.Contains(err.Error(), named) {
		t.Errorf("a shard was killed: %v, want one that names %s", err, named)
	}
	_, err = backup.Take(t.Context(), from.platform, mustOpen(t, filepath.Join(t.TempDir(), "y")), quiet)
	if err == nil || !strings.Contains(err.Error(), named) {
		t.Errorf("a shard is away: %v, want one that names %s", err, named)
	}
	c.Nodes[1].Start(t)
	if n := clones(t, c); n[0] != "0" || n[1] == "0" {
		t.Errorf("clones on the shards: %v; want none on the first, and some on the one that was killed", n)
	}
	if _, err := backup.Take(t.Context(), from.platform, mustOpen(t, filepath.Join(t.TempDir(), "z")), quiet); err != nil {
		t.Errorf("the shard is back: %v", err)
	}
	clean(t, c)
}

// clones counts those on each shard.
func clones(t *testing.T, c *localtest.ClickHouseCluster) (all []string) {
	t.Helper()
	for _, node := range c.Nodes {
		var n string
		if err := schematest.Connect(t, node.URL()).QueryRow(t.Context(), "SELECT toString(count()) FROM system.tables WHERE database LIKE 'corrosion%' AND name LIKE 'backup\\_%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func clean(t *testing.T, c *localtest.ClickHouseCluster) {
	t.Helper()
	if n := clones(t, c); n[0] != "0" || n[1] != "0" {
		t.Errorf("clones on the shards: %v", n)
	}
}
