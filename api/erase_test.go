package api

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/account"
	"corrosion/api/archive"
	"corrosion/api/auth"
	"corrosion/api/encode"
	"corrosion/api/erasure"
	"corrosion/api/store"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// withErasures gives a server archives and a worker that erases, on the database of openStored.
func withErasures(t *testing.T, pool *pgxpool.Pool, js jetstream.JetStream) func(*Config, *Deps) {
	t.Helper()
	conn := schematest.ClickHouse(t)
	return func(_ *Config, d *Deps) {
		cfg := erasure.DefaultConfig()
		cfg.Poll, cfg.Settle, cfg.Retry = 50*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
		worker, err := erasure.New(cfg, erasure.Deps{Store: store.New(pool), ClickHouse: conn, JetStream: js, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		worker.Open()
		t.Cleanup(worker.Close)
		d.Erasures, d.Archives = worker, archive.New(pool, d.Exporter)
	}
}

func jetStream(t *testing.T) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(localtest.NATSURL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// stored counts the rows of a license in every table of both stores that has a column license_id, and its messages.
func (h *harness) stored(t *testing.T, conn driver.Conn, js jetstream.JetStream, license uuid.UUID) map[string]uint64 {
	t.Helper()
	found := map[string]uint64{}
	tables, err := h.pool.Query(t.Context(), `SELECT table_name FROM information_schema.columns WHERE column_name = 'license_id' AND table_schema = 'public'
		AND table_name IN (SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE')`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := scanNames(tables)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		var n uint64
		if err := h.pool.QueryRow(t.Context(), fmt.Sprintf("SELECT count(*) FROM %s WHERE license_id = $1", name), license).Scan(&n); err != nil {
			t.Fatal(err)
		}
		found["postgres."+name] = n
	}
	rows, err := conn.Query(t.Context(), "SELECT DISTINCT table FROM system.columns WHERE database = 'corrosion' AND name = 'license_id'")
	if err != nil {
		t.Fatal(err)
	}
	if names, err = scanNames(rows); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_mv") || strings.HasSuffix(name, "_fresh") || strings.HasSuffix(name, "_rest") || strings.HasSuffix(name, "_built") {
			continue // views into tables that are counted
		}
		var n uint64
		if err := conn.QueryRow(t.Context(), fmt.Sprintf("SELECT count() FROM corrosion.`%s` WHERE license_id = ?", name), license).Scan(&n); err != nil {
			t.Fatal(err)
		}
		found["clickhouse."+name] = n
	}
	stream, err := js.Stream(t.Context(), schema.StreamDead)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(schema.DeadSubject(license.String())))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range info.State.Subjects {
		found["jetstream"] += n
	}
	return found
}

func scanNames(rows interface {
	Next() bool
	Scan(...any) error
	Err() error
}) (names []string, err error) {
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// furnish gives a license something in as many places as there are.
func (h *harness) furnish(t *testing.T, conn driver.Conn, js jetstream.JetStream, license uuid.UUID) somebody {
	t.Helper()
	owner := h.join(t, license, auth.Owner)
	who := account.Person{Account: owner.account, Session: owner.session, License: license}
	at := time.Now().Add(-time.Hour)
	sample := sampleAt(license, "srv", at)
	sample.Metrics = []schema.Metric{{Name: "loot", Value: 3}}
	schematest.InsertSamples(t, conn, []schema.Sample{sample, sampleAt(license, "other", at.Add(time.Minute))})
	for _, statement := range []string{
		"INSERT INTO corrosion.ingest_log (license_id, minute, outcome, count) VALUES (?, now(), 'accepted', 2)",
		"INSERT INTO corrosion.network_hours (license_id, hour, samples, version) VALUES (?, toStartOfHour(now() - 3600), 2, 1)",
		"INSERT INTO corrosion.message_ids (license_id, id, stored_at) VALUES (?, 'm1', now())",
		"INSERT INTO corrosion.license_minutely_totals (license_id, minute, samples) VALUES (?, toStartOfMinute(now()), 1)",
		"INSERT INTO corrosion.license_hourly_totals (license_id, hour, samples) VALUES (?, toStartOfHour(now()), 1)",
		"INSERT INTO corrosion.event_log (license_id, event_id, ts, kind, title) VALUES (?, generateUUIDv4(), now(), 'note', 'a mark')",
	} {
		if err := conn.Exec(t.Context(), statement, license); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{
		"INSERT INTO servers (license_id, server_id, name) VALUES ($1, 'srv', 'Сервер')", "INSERT INTO license_quotas (license_id, servers) VALUES ($1, 5)",
		"INSERT INTO export_jobs (id, license_id, request) VALUES (gen_random_uuid(), $1, '{}')",
	} {
		if _, err := h.pool.Exec(t.Context(), statement, license); err != nil {
			t.Fatal(err)
		}
	}
	h.furnishTeam(t, who)
	if _, err := js.Publish(t.Context(), schema.DeadSubject(license.String()), []byte("bad")); err != nil {
		t.Fatal(err)
	}
	return owner
}

func (h *harness) furnishTeam(t *testing.T, who account.Person) {
	t.Helper()
	email, _ := account.ParseEmail(uuid.NewString() + "@example.org")
	_, invited := h.deps.Accounts.Invite(t.Context(), who, email, auth.Viewer)
	_, made := h.deps.Accounts.MakeKey(t.Context(), who, account.NewKey{Name: "k", Scopes: []auth.Scope{auth.Export}})
	_, user := h.deps.Accounts.MakeNATSUser(t.Context(), who, "srv")
	for _, err := range []error{invited, made, user} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A license is erased from every table of both stores and from JetStream, and another one loses nothing.
func TestEraseWhole(t *testing.T) {
	conn, js := schematest.ClickHouse(t), jetStream(t)
	_, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: schema.StreamDead, Subjects: []string{schema.SubjectDead}, Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	pool := schematest.Postgres(t)
	h := openStoredOn(t, pool, withErasures(t, pool, js))
	owner, neighbour := h.furnish(t, conn, js, ourLicense), h.furnish(t, conn, js, theirLicense)
	before, theirs := h.stored(t, conn, js, ourLicense), h.stored(t, conn, js, theirLicense)
	for _, place := range furnished() {
		if before[place] == 0 {
			t.Errorf("%s has nothing to erase", place)
		}
	}
	h.archived(t, owner, conn)
	ask := func(token, name, password string) answer {
		return h.send(t, http.MethodDelete, licensePath, token, `{"name":"`+name+`","password":"`+password+`"}`)
	}
	ask(owner.token, "tset", goodPassword).problem(t, 422, "invalid-request")
	ask(owner.token, "test", "wrong password").problem(t, 403, "password-wrong")
	ask(h.person(t, ourLicense, auth.Admin), "test", goodPassword).problem(t, 403, "forbidden")
	var receipt ErasureBody
	a := ask(owner.token, "test", goodPassword).ok(t, 202, &receipt)
	place := a.Header.Get("Location")
	localtest.CheckFor(t, 60*time.Second, 100*time.Millisecond, func() error {
		h.get(t, place, owner.token).ok(t, 200, &receipt)
		if receipt.Status != "erased" {
			return fmt.Errorf("%+v", receipt)
		}
		return nil
	})
	for name, n := range h.stored(t, conn, js, ourLicense) {
		if n != 0 {
			t.Errorf("%s still has %d", name, n)
		}
	}
	if after := h.stored(t, conn, js, theirLicense); !maps.Equal(steady(after), steady(theirs)) || after["clickhouse.license_hourly_totals"] == 0 {
		t.Errorf("the neighbour had\n%v and has\n%v", theirs, after)
	}
	for _, want := range []string{"postgres.licenses", "postgres.audit_log", "clickhouse.samples", "clickhouse.samples_hourly", "clickhouse.event_log", "jetstream." + schema.StreamDead} {
		if receipt.Removed[want] == 0 {
			t.Errorf("the receipt does not name %s: %v", want, receipt.Removed)
		}
	}
	h.get(t, place, neighbour.token).problem(t, 404, "not-found")
	var entries int
	if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM audit_log WHERE action IN ('license.erased', 'license.erasure-asked') AND target_id = $1", ourLicense).Scan(&entries); err != nil || entries != 2 {
		t.Errorf("%d entries of the erasure, %v", entries, err)
	}
}

// furnished are the places where furnish leaves something.
func furnished() []string {
	places := []string{"jetstream"}
	for _, table := range strings.Fields("api_keys audit_log export_jobs invitations license_members license_quotas nats_users servers sessions") {
		places = append(places, "postgres."+table)
	}
	for _, table := range strings.Fields("samples samples_hourly metrics_hourly license_hourly license_minutely license_hourly_totals license_minutely_totals " +
		"network_hours event_log server_seen ingest_log message_ids hourly network_hourly events") {
		places = append(places, "clickhouse."+table)
	}
	return places
}

// steady leaves out what ClickHouse refreshes by itself meanwhile.
func steady(found map[string]uint64) map[string]uint64 {
	kept := maps.Clone(found)
	maps.DeleteFunc(kept, func(place string, _ uint64) bool { return strings.HasSuffix(place, "_totals") })
	return kept
}

// archived takes the license out and compares the archive with what is stored.
func (h *harness) archived(t *testing.T, owner somebody, conn driver.Conn) {
	t.Helper()
	h.get(t, archivePath, h.person(t, ourLicense, auth.Admin)).problem(t, 403, "forbidden")
	h.get(t, archivePath, h.key(t, ourLicense, auth.Export)).problem(t, 403, "scope-needed")
	a := h.get(t, archivePath, owner.token)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/zip" || !strings.Contains(a.Header.Get("Content-Disposition"), ourLicense.String()) || a.err != nil {
		t.Fatalf("%d %v %v", a.StatusCode, a.Header, a.err)
	}
	file, err := zip.NewReader(bytes.NewReader([]byte(a.body)), int64(len(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	var manifest archive.Manifest
	if err := json.Unmarshal(unzip(t, file, "manifest.json"), &manifest); err != nil {
		t.Fatal(err)
	}
	counted := map[string]uint64{}
	for _, f := range manifest.Files {
		text := unzip(t, file, f.Name)
		counted[f.Name] = f.Rows
		if lines := uint64(bytes.Count(text, []byte("\n"))); lines != f.Rows || int64(len(text)) != f.Bytes {
			t.Errorf("%s has %d lines and %d bytes, the manifest says %+v", f.Name, lines, len(text), f)
		}
		for line := range bytes.Lines(text) {
			if !json.Valid(line) {
				t.Fatalf("%s: not JSON: %s", f.Name, line)
			}
		}
		for _, secret := range []string{"sha256\"", "digest", "password", theirLicense.String()} {
			if f.Name != "postgres/audit_log.ndjson" && bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s has %s", f.Name, secret)
			}
		}
	}
	for name, want := range map[string]uint64{
		"clickhouse/samples.ndjson": 2, "clickhouse/hourly.ndjson": 2, "clickhouse/metrics_hourly.ndjson": 1,
		"clickhouse/server_seen.ndjson": 2, "postgres/licenses.ndjson": 1, "postgres/servers.ndjson": 1, "postgres/invitations.ndjson": 1,
	} {
		if counted[name] != want {
			t.Errorf("%s has %d rows, want %d", name, counted[name], want)
		}
	}
	if counted["clickhouse/events.ndjson"] == 0 { // other tests leave marks of the license
		t.Error("no mark is archived")
	}
	h.everythingArchived(t, conn)
}

func unzip(t *testing.T, file *zip.Reader, name string) []byte {
	t.Helper()
	f, err := file.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// everythingArchived compares the archive's list with the tables that there are: a new one must be archived or derived.
func (h *harness) everythingArchived(t *testing.T, conn driver.Conn) {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT DISTINCT c.table FROM system.columns AS c INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table WHERE c.database = 'corrosion' AND c.name = 'license_id' AND t.engine LIKE '%MergeTree'")
	if err != nil {
		t.Fatal(err)
	}
	names, err := scanNames(rows)
	if err != nil {
		t.Fatal(err)
	}
	known := append(encode.Archived(), encode.Derived()...)
	// These are archived through the views over them.
	known = append(known, "samples_hourly", "network_hours", "event_log")
	for _, name := range names {
		if !slices.Contains(known, name) {
			t.Errorf("table %s is neither archived nor derived", name)
		}
	}
}

// Keys of tables to licenses must let a license go.
func TestLicensesCanBeErased(t *testing.T) {
	pool := schematest.Postgres(t)
	rows, err := pool.Query(t.Context(), "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND confrelid = 'licenses'::regclass AND confdeltype NOT IN ('c', 'n')")
	if err != nil {
		t.Fatal(err)
	}
	names, err := scanNames(rows)
	if err != nil || len(names) > 0 {
		t.Errorf("%v hold licenses back, %v: let the key be ON DELETE CASCADE", names, err)
	}
}
