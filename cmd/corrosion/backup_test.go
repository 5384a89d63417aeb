package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corrosion/deploy/local/localtest"
	"corrosion/schema/schematest"
)

// What an operator does: a backup of the platform that runs, a look at it, and another data directory made from it, whose
// platform has the same samples and knows the same people.
func TestBackupCommands(t *testing.T) {
	p := startPlatform(t)
	license, _ := p.license("Backed up")
	p.corrosion("simulate", "--license", license, "--servers", "5", "--rate", "200", "--duration", "1s")
	was := p.stored(t)
	dir := filepath.Join(t.TempDir(), "backup")
	if out := p.corrosion("backup", dir); !strings.Contains(out, "taken: ClickHouse") {
		t.Errorf("backup says %q", out)
	}
	if out := p.corrosion("backup", dir, "--check"); !strings.Contains(out, "is whole") {
		t.Errorf("backup --check says %q", out)
	}
	p.refuses("is not empty", "backup", dir)
	p.refuses("stop it first", "restore", dir)
	p.Stop()
	p.refuses("the target is not empty: ClickHouse has rows in", "restore", dir)
	again := &platform{t: t, data: filepath.Join(t.TempDir(), "data")}
	again.refusesDamaged(dir)
	if out := again.corrosion("restore", dir); !strings.Contains(out, "restored: ClickHouse") {
		t.Errorf("restore says %q", out)
	}
	again = startPlatformOn(t, again.data)
	if is := again.stored(t); is != was {
		t.Errorf("backed up were\n%s\nrestored are\n%s", was, is)
	}
	var summary struct {
		Samples uint64 `json:"samples"`
	}
	token := strings.TrimSpace(again.corrosion("token", "--license", license))
	if status, body := again.get(token, "/api/analytics/summary", nil, &summary); status != 200 || summary.Samples == 0 {
		t.Errorf("the summary: %d %s", status, body)
	}
}

// stored waits until every published sample is in ClickHouse and its rollups, and gives the count and a sum of each
// table that an operator would miss.
func (p *platform) stored(t *testing.T) string {
	t.Helper()
	const equal = "SELECT (SELECT count() FROM corrosion.samples), (SELECT sum(samples) FROM corrosion.samples_hourly) FORMAT TSV"
	localtest.CheckFor(t, 2*time.Minute, 100*time.Millisecond, func() error {
		if waits := p.corrosion("doctor", "--role", "ingest"); !strings.Contains(waits, " 0 messages wait") {
			return &notYet{waits}
		}
		if got := strings.Fields(p.corrosion("sql", equal)); len(got) != 2 || got[0] == "0" || got[0] != got[1] {
			return &notYet{strings.Join(got, " of ")}
		}
		return nil
	})
	conn := schematest.Connect(t, p.ClickHouseNative)
	var all []string
	for _, columns := range []string{
		"count(), sum(cityHash64(license_id, server_id, ts, boot, n, epoch, seq, idx, players, fps)) FROM corrosion.samples",
		"sum(samples), sum(players_sum), round(sum(fps_sum), 6), sum(minutes) FROM corrosion.samples_hourly",
		"sum(count), round(sum(sum), 6) FROM corrosion.metrics_hourly",
		"sum(samples) FROM corrosion.license_hourly",
		"count() FROM corrosion.message_ids",
		"count() FROM corrosion.server_seen FINAL",
	} {
		var one string
		of, from, _ := strings.Cut(columns, " FROM ")
		if err := conn.QueryRow(t.Context(), "SELECT toString(("+of+", 0)) FROM "+from).Scan(&one); err != nil {
			t.Fatalf("%s: %v", columns, err)
		}
		all = append(all, from+" "+one)
	}
	return strings.Join(all, "\n")
}

// notYet is what was seen of what is not there.
type notYet struct{ seen string }

func (e *notYet) Error() string { return "not there yet: " + e.seen }

// refuses wants an exit of 1 with a message.
func (p *platform) refuses(want string, args ...string) {
	p.t.Helper()
	if code, _, stderr := p.try(args...); code != 1 || !strings.Contains(stderr, want) {
		p.t.Errorf("corrosion %s: exit %d, %s; want %q", strings.Join(args, " "), code, stderr, want)
	}
}

// refusesDamaged tries what is no backup and one with a changed byte; the directory must stay fit to be restored into.
func (p *platform) refusesDamaged(dir string) {
	p.t.Helper()
	p.refuses("has no manifest.json: it is no backup", "restore", dir+"-nowhere")
	files, err := filepath.Glob(filepath.Join(dir, "clickhouse", "samples", "*"))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("files of samples: %v, %v", files, err)
	}
	was, err := os.ReadFile(files[0])
	if err != nil {
		p.t.Fatal(err)
	}
	now := append([]byte(nil), was...)
	now[len(now)/2] ^= 1
	if err := os.WriteFile(files[0], now, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.refuses("the backup is damaged: clickhouse/samples/", "restore", dir)
	p.refuses("the backup is damaged: clickhouse/samples/", "backup", dir, "--check")
	if err := os.WriteFile(files[0], was, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
