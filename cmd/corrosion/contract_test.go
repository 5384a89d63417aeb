package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"corrosion/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The served OpenAPI document has every promised path and is the one in docs/.
func TestContractOpenAPI(t *testing.T) {
	p := startPlatform(t, "--demo")
	status, body := p.get("", "/api/openapi.json", nil, nil)
	if status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	var document struct {
		OpenAPI string
		Paths   map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s, want 3.1", document.OpenAPI)
	}
	for _, path := range []string{"/api/analytics/summary", "/api/analytics/timeseries", "/api/analytics/export", "/api/analytics/retention",
		"/api/analytics/servers", "/api/analytics/events", "/api/analytics/events/{id}",
		"/api/analytics/exports", "/api/analytics/exports/{id}", "/api/analytics/exports/{id}/files/{n}",
		"/api/auth/register", "/api/auth/login", "/api/auth/refresh", "/api/auth/logout", "/api/auth/me", "/api/auth/totp",
		"/api/modules", "/api/modules/{slug}", "/api/modules/{slug}/purchase", "/api/modules/purchases",
		"/api/license", "/api/license/members", "/api/license/invitations", "/api/license/keys", "/api/licenses",
		"/api/early-access", "/api/early-access/founding", "/api/roadmap", "/api/roadmap/{id}/vote",
		"/api/analytics/live", "/api/public/demo/live", "/api/public/demo/summary", "/api/public/demo/timeseries", "/livez", "/readyz", "/metrics"} {
		if document.Paths[path] == nil {
			t.Errorf("%s is missing; there are %v", path, slices.Sorted(maps.Keys(document.Paths)))
		}
	}
	for _, path := range []string{
		"/api/modules/{slug}/install", "/api/modules/installations", "/api/modules/installations/{id}", "/api/modules/installations/{id}/retry",
	} {
		if document.Paths[path] == nil {
			t.Errorf("%s is missing", path)
		}
	}
	golden(t, "../../docs/openapi.json", body)
}

// golden compares text with a file, leaving JSON's white space aside, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(got), "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	if *update {
		if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pretty.Bytes(), want) {
		t.Errorf("%s is not what is served: run `make generate`", path)
	}
}

// ClickHouse has the promised tables and columns, and operators may read them and nothing else.
func TestContractSQL(t *testing.T) {
	p := startPlatform(t)
	for table, want := range map[string]string{
		"hourly": "license_id,server_id,hour,samples,players_avg,players_min,players_max,fps_avg,fps_min,fps_p05,fps_p50," +
			"frame_ms_avg,frame_ms_p95,frame_ms_p99,entities_avg,entities_max,memory_mb_avg,memory_mb_max,cpu_percent_avg," +
			"cpu_percent_max,net_in_avg,net_out_avg,uptime_s_max,restarts",
		"network_hourly": "license_id,hour,peak_players,peak_at,avg_players,servers_reporting,samples",
		"events":         "license_id,event_id,server_id,ts,kind,title,text,data,source,received_at",
		"metrics_hourly": "license_id,metric,server_id,hour,count,sum,min,max,last,minutes",
	} {
		got := p.sql("SELECT arrayStringConcat(groupArray(name), ',') FROM (SELECT name FROM system.columns WHERE database = 'corrosion' AND table = '" + table + "' ORDER BY position)")
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", table, got, want)
		}
	}
	for _, field := range schema.MetricFields() {
		if got := p.sql("SELECT count() FROM system.columns WHERE database = 'corrosion' AND table = 'samples_hourly' AND name IN ('" +
			field.String() + "_count', '" + field.String() + "_sum', '" + field.String() + "_min', '" + field.String() + "_max', '" + field.String() + "_last')"); got != "5" {
			t.Errorf("samples_hourly has %s of 5 states of %s", got, field)
		}
	}
	for _, query := range []string{"INSERT INTO corrosion.samples (server_id) VALUES ('x')", "DROP TABLE corrosion.samples",
		"CREATE TABLE corrosion.mine (x Int8) ENGINE = Memory", "SELECT * FROM system.users"} {
		if code, _, stderr := p.try("sql", query); code != 1 || !strings.Contains(stderr, "clickhouse says") {
			t.Errorf("operator may %q: exit %d, %s", query, code, stderr)
		}
	}
}

// The promised commands, flags and environment stand in the help.
func TestContractCommands(t *testing.T) {
	f := func(command string, wants ...string) {
		t.Helper()
		var out lockedBuffer
		e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hurry: make(chan struct{})}
		if code := run(e, append(strings.Fields(command), "--help")); code != 0 {
			t.Fatalf("%s --help: exit %d\n%s", command, code, &out)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s --help does not name %s:\n%s", command, want, &out)
			}
		}
	}
	f("", "serve", "ingest", "api", "aggregate", "jobs list", "jobs run", "migrate", "license create", "admin create", "admin reset-link", "keys list", "keys rotate", "token", "simulate", "replay", "sql", "doctor", "dead list", "dead show", "dead replay", "dead purge")
	f("serve", "--demo", "--listen", "127.0.0.1:8080", "--data", "./data", "$CORROSION_LISTEN", "$CORROSION_DATA",
		"$CORROSION_NATS_URL", "$CORROSION_CLICKHOUSE_URL", "$CORROSION_POSTGRES_URL", "$CORROSION_JWT_KEY_FILE", "$CORROSION_SMTP_URL", "$CORROSION_PUBLIC_URL", "$CORROSION_REGISTRATION",
		"$CORROSION_LAUNCH_AT", "2027-02-28T00:00:00Z")
	f("license create", "--name", "--email")
	f("license suspend", "--license", "--reason")
	f("license resume", "--license")
	f("license archive", "--license", "--output")
	f("license nats-rotate", "--license", "--overlap")
	f("agent", "--license", "--server-id", "--plugins")
	f("agent-user create", "--license", "--server-id")
	f("agent-user revoke", "--license", "--server-id")
	f("nats config", "--env", "--server", "--nats-callout-key-file")
	f("license sql-access", "--license", "--revoke", "--rotate")
	f("retention set", "--raw", "--hourly", "--yes")
	f("migrate", "--retention-raw", "--retention-hourly", "$CORROSION_RETENTION_RAW_DAYS")
	f("admin create", "--email")
	f("token", "--license", "--role", "--ttl", "1h")
	f("simulate", "--license", "--servers", "--interval", "--rate", "--duration")
	f("replay", "--license", "--align", "--rate", "--time-column", "--server-column", "--map", "--long", "--from", "--to")
	f("sql", "--format", "--param", "--list", "--show")
	f("jobs run", "--from", "--to")
	f("jobs list", "--limit")
}
