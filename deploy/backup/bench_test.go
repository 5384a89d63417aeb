package backup_test

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"corrosion/deploy/backup"
	"corrosion/schema"
)

var (
	benchBackup = flag.Bool("bench.backup", false, "measure a backup, a check and a restore")
	benchRows   = flag.Int("bench.backup-rows", 10_000_000, "samples, of 1,000 servers over a week")
)

// fillMany makes samples that are like simulated ones: noise where there is noise, and repeated where things repeat.
const fillMany = `INSERT INTO corrosion.samples (license_id, server_id, ts, n, boot, players, max_players, queued, joining, sleepers, fps, frame_ms, entities, memory_mb, cpu_percent, net_in, net_out, uptime_s, map, version, metrics, epoch, seq, idx, received_at)
	SELECT toUUID('00000000-0000-4000-8000-000000000001'), concat('server-', toString(number % 1000)), now64(3) - toIntervalMillisecond(intDiv(number, 1000) * 60000),
		intDiv(number, 1000), 'boot', 40 + rand(1) % 20, 100, 0, rand(2) % 3, 50 + rand(3) % 5, 55 + (rand(4) % 1000) / 200, 16 + (rand(5) % 1000) / 300, 180000 + rand(6) % 2000, 8000 + (rand(7) % 10000) / 10,
		50 + (rand(8) % 1000) / 20, 100000 + rand(9) % 50000, 200000 + rand(10) % 50000, 86400 - intDiv(number, 1000) * 60 % 86400, 'Procedural Map', '2026.11', map('loot', toFloat64(rand(11) % 100)),
		1, number, 0, now64(3)
	FROM numbers(?, ?) SETTINGS max_insert_threads = 1, max_memory_usage = 0`

// TestBenchBackup prints the rates of a backup into a directory, of its check and of a restore.
func TestBenchBackup(t *testing.T) {
	if !*benchBackup {
		t.Skip("make bench-backup")
	}
	from := newSite(t)
	if _, err := schema.Migrate(t.Context(), from.platform.ClickHouseURL, from.platform.PostgresURL); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < *benchRows; at += 500_000 {
		if err := from.ch.Exec(t.Context(), fillMany, at, min(500_000, *benchRows-at)); err != nil {
			t.Fatal(err)
		}
	}
	target := mustOpen(t, filepath.Join(t.TempDir(), "backup"))
	begun := time.Now()
	m, err := backup.Take(t.Context(), from.platform, target, quiet)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	rows := m.ClickHouse.Rows()
	t.Logf("backup: %d rows of all tables, %d MB, %.1f s, %.0f rows/s, %.0f MB/s", rows, m.Bytes()/1e6, took.Seconds(), float64(rows)/took.Seconds(), float64(m.Bytes())/1e6/took.Seconds())
	begun = time.Now()
	if _, err := backup.Check(t.Context(), target, quiet); err != nil {
		t.Fatal(err)
	}
	took = time.Since(begun)
	t.Logf("check: %.1f s, %.0f MB/s", took.Seconds(), float64(m.Bytes())/1e6/took.Seconds())
	to := newSite(t)
	begun = time.Now()
	if _, err := backup.Restore(t.Context(), to.platform, target, quiet); err != nil {
		t.Fatal(err)
	}
	took = time.Since(begun)
	t.Logf("restore: %.1f s, %.0f rows/s", took.Seconds(), float64(rows)/took.Seconds())
}
