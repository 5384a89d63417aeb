package backup_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/backup"
	"corrosion/schema"
)

func quiet(string, int64, int64) {}

// What a backup that is made while samples come holds is there once after a restore on empty stores: what was stored, what
// waited, what was both, and what was stored after the stream was looked at.
func TestBackupOfABusyPlatform(t *testing.T) {
	from := newSite(t)
	if _, err := schema.Migrate(t.Context(), from.platform.ClickHouseURL, from.platform.PostgresURL); err != nil {
		t.Fatal(err)
	}
	license := uuid.New()
	fill(from, license)
	from.start()
	from.publish(license, 100)
	from.drained()
	from.stop()
	from.publish(license, 60) // these wait
	if err := os.WriteFile(filepath.Join(from.platform.ModuleDir, "LootManager.cs"), []byte("class"), 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := backup.OpenTarget(filepath.Join(t.TempDir(), "backup"))
	if err != nil {
		t.Fatal(err)
	}
	meanwhile := false
	m, err := backup.Take(t.Context(), from.platform, target, func(step string, _, _ int64) {
		if strings.Contains(step, "EVENTS") && !meanwhile { // STATS has been looked at
			meanwhile = true
			from.publish(license, 40)
			from.start()
			from.drained()
		}
	})
	if err != nil || !meanwhile {
		t.Fatalf("backup: %v, samples came meanwhile %v", err, meanwhile)
	}
	from.stop()
	to := restored(t, target, m)
	for _, query := range comparisons() {
		if was, is := from.must(query), to.must(query); was != is {
			t.Errorf("%s: %s was backed up, %s is restored", query, was, is)
		}
	}
	compareAccounts(t, from, to)
	to.n = from.n
	to.start()
	to.drained()
	to.publish(license, 50)
	to.drained()
	to.stop()
	to.storedOnce()
	if marks := to.must("SELECT toString((count(), uniqExact(title))) FROM corrosion.events"); marks != "(13,13)" {
		t.Errorf("marks and different ones: %s, want (13,13)", marks)
	}
	if all, twice := to.letters(); all != 25 || twice != 0 {
		t.Errorf("%d dead letters, %d of them twice; want 25", all, twice)
	}
	if hours := to.must("SELECT toString(sum(samples)) FROM corrosion.samples_hourly"); hours != to.must("SELECT toString(count()) FROM corrosion.samples") {
		t.Errorf("the hours have %s samples", hours)
	}
	refusesFull(t, target, to)
}

func wanted(n int) string {
	text, _ := json.Marshal([]int{n, n, n})
	return "(" + strings.Trim(string(text), "[]") + ")"
}

// comparisons are over what neither a refreshable view nor the log of an ingester that stops adds by itself.
func comparisons() []string {
	queries := []string{"SELECT toString((min(ts), max(ts), sum(players), sum(fps), sum(epoch), sum(toUnixTimestamp(stored_at)))) FROM corrosion.samples"}
	for _, table := range []string{"samples", "event_log FINAL", "message_ids", "hourly", "license_hourly", "server_seen FINAL", "user_licenses"} {
		queries = append(queries, "SELECT toString((count(), sum(cityHash64(license_id)))) FROM corrosion."+table)
	}
	return append(queries,
		"SELECT toString((sum(samples), sum(players_sum), sum(fps_sum), sum(minutes))) FROM corrosion.samples_hourly",
		"SELECT toString((sum(count), sum(sum))) FROM corrosion.metrics_hourly",
		"SELECT toString(quantilesBFloat16Merge(0.05, 0.5, 0.95, 0.99)(fps_sketch)) FROM corrosion.license_minutely")
}

// fill puts something into Postgres that triggers, references to itself and sequences would get wrong.
func fill(s *site, license uuid.UUID) {
	s.exec(
		"INSERT INTO licenses (id, name) VALUES ('"+license.String()+"', 'Größe \\ \"x\"\t')",
		"INSERT INTO audit_log (at, actor, action) VALUES (now(), 'x', 'a'), (now(), 'y', 'b')",
		"INSERT INTO job_marks (job, name, value) VALUES ('verify', 'day/20261126', 'samples 7')",
		"INSERT INTO nats_users (name, license_id, password_sha256) VALUES ('u', '"+license.String()+"', sha256('h'))",
	)
}

// restored is a site with the backup in it; the first tries end in the midst.
func restored(t *testing.T, source backup.Target, m *backup.Manifest) *site {
	t.Helper()
	to := newSite(t)
	for _, stopAt := range []string{"Postgres", "ClickHouse", "streams"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := backup.Restore(ctx, to.platform, source, func(step string, done, _ int64) {
			if strings.HasPrefix(step, stopAt) && done > 1 {
				cancel()
			}
		})
		if ctx.Err() == nil || err == nil {
			t.Fatalf("a restore was not stopped at %s: %v", stopAt, err)
		}
		cancel()
	}
	got, err := backup.Restore(t.Context(), to.platform, source, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != m.ID {
		t.Errorf("restored %s, want %s", got.ID, m.ID)
	}
	if body, err := os.ReadFile(filepath.Join(to.platform.ModuleDir, "LootManager.cs")); err != nil || string(body) != "class" {
		t.Errorf("a module's file is %q, %v", body, err)
	}
	return to
}

func compareAccounts(t *testing.T, from, to *site) {
	t.Helper()
	const all = `SELECT string_agg(x, E'\n') FROM (SELECT t::text AS x FROM licenses t UNION ALL SELECT t::text FROM audit_log t UNION ALL SELECT t::text FROM nats_users t
		UNION ALL SELECT t::text FROM modules t UNION ALL SELECT t::text FROM roadmap_items t UNION ALL SELECT last_value::text FROM nats_generations ORDER BY 1) a`
	var was, is string
	if err := errors.Join(from.pg.QueryRow(t.Context(), all).Scan(&was), to.pg.QueryRow(t.Context(), all).Scan(&is)); err != nil {
		t.Fatal(err)
	}
	if was != is {
		t.Errorf("accounts were\n%s\nand are\n%s", was, is)
	}
	to.exec("INSERT INTO audit_log (at, actor, action) VALUES (now(), 'x', 'c')") // the sequence goes on
	var marks int
	if err := to.pg.QueryRow(t.Context(), "SELECT count(*) FROM job_marks").Scan(&marks); err != nil || marks != 0 {
		t.Errorf("%d marks of jobs are restored, %v", marks, err)
	}
	if _, err := to.pg.Exec(t.Context(), "DELETE FROM audit_log"); err == nil {
		t.Error("the audit log's triggers are off")
	}
}

// refusesFull tries each store that holds something.
func refusesFull(t *testing.T, source backup.Target, full *site) {
	t.Helper()
	_, err := backup.Restore(t.Context(), full.platform, source, quiet)
	if !errors.Is(err, backup.ErrNotEmpty) || !strings.Contains(err.Error(), "ClickHouse has rows in") {
		t.Errorf("a full ClickHouse: %v", err)
	}
	full.start()
	full.platform.Listen = 30 * time.Second // it ends with the first word
	if _, err = backup.Restore(t.Context(), full.platform, source, quiet); !errors.Is(err, backup.ErrNotEmpty) || !strings.Contains(err.Error(), "ingester is at work") {
		t.Errorf("a platform at work: %v", err)
	}
	full.stop()
}

// Only these tables hold rows before anybody did anything, and a restore may replace them.
func TestSeededTables(t *testing.T) {
	s := newSite(t)
	if _, err := schema.MigratePostgres(t.Context(), s.platform.PostgresURL); err != nil {
		t.Fatal(err)
	}
	rows, err := s.pg.Query(t.Context(), `SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND relkind = 'r' AND relname <> 'schema_migrations' AND (xpath('/row/c/text()', query_to_xml('SELECT count(*) AS c FROM ' || quote_ident(relname), false, true, '')))[1]::text::int > 0 ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var seeded []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		seeded = append(seeded, one)
	}
	if !slices.Equal(seeded, backup.SeededTables()) {
		t.Errorf("migrations fill %v, SeededTables says %v", seeded, backup.SeededTables())
	}
}
