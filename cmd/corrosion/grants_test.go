package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/jackc/pgx/v5"

	"corrosion/deploy/local"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/schematest"
)

// The users of the guide, by other names than those that every test server has.
const (
	guidedUser     = "guided"
	guidedOperator = "guided_operator"
)

var grantStatement = regexp.MustCompile(`(?s)GRANT ([^;]*?) TO (\w+)( WITH GRANT OPTION)?;`)

// guidedSQL is what a ClickHouse administrator runs, without its comments.
func guidedSQL(t *testing.T) string {
	t.Helper()
	return regexp.MustCompile(`--[^\n]*`).ReplaceAllString(fenced(t, "production.md", "CREATE DATABASE corrosion;"), "")
}

// guidedUsers are the users that docs/production.md makes, with exactly its grants, as the local engine takes them: from XML.
func guidedUsers(t *testing.T) string {
	t.Helper()
	guide := guidedSQL(t)
	grants := map[string][]string{}
	for _, found := range grantStatement.FindAllStringSubmatch(guide, -1) {
		grants[found[2]] = append(grants[found[2]], "<query>GRANT "+strings.Join(strings.Fields(found[1]), " ")+found[3]+"</query>")
	}
	if len(grants["corrosion"]) < 5 || len(grants["operator"]) == 0 || len(grants) != 2 {
		t.Fatalf("the guide grants %v", grants)
	}
	digest := sha256.Sum256([]byte(localtest.Password))
	var users strings.Builder
	for name, as := range map[string]string{guidedUser: "corrosion", guidedOperator: "operator"} {
		fmt.Fprintf(&users, "<%s><password_sha256_hex>%s</password_sha256_hex><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota><grants>%s</grants></%s>",
			name, hex.EncodeToString(digest[:]), strings.Join(grants[as], ""), name)
	}
	return users.String()
}

// as changes the user of a URL.
func as(t *testing.T, raw, user string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, localtest.Password)
	return u.String()
}

// guidedDatabase makes the role and the database of docs/production.md.
func guidedDatabase(t *testing.T) string {
	t.Helper()
	server := localtest.NewPostgres(t)
	super, err := pgx.Connect(t.Context(), strings.Replace(as(t, server.URL(), "postgres"), "/corrosion", "/postgres", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close(t.Context()) //nolint:errcheck // test
	guide := strings.NewReplacer("'…'", "'"+localtest.Password+"'", "ROLE corrosion", "ROLE "+guidedUser, "DATABASE corrosion OWNER corrosion", "DATABASE "+guidedUser+" OWNER "+guidedUser).Replace(fenced(t, "production.md", "CREATE ROLE corrosion"))
	for statement := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(guide), ";"), ";") {
		if _, err := super.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	u, err := url.Parse(as(t, server.URL(), guidedUser))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + guidedUser
	return u.String()
}

// What docs/production.md grants is what every role needs, from the first migration to healing and erasing, and what an
// operator needs to look. Roles write nowhere but in their data directory.
func TestGrantsOfTheGuide(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	store := localtest.NewClickHouse(t, localtest.WithClickHouseXML(local.ClickHouseXML{Users: guidedUsers(t)}))
	parses(t, schematest.Connect(t, store.URL()))
	f := newFleetOn(t, local.Endpoints{
		NATS: localtest.NewNATS(t).URL(), ClickHouseNative: as(t, store.URL(), guidedUser), ClickHouseHTTP: as(t, store.HTTPURL(), guidedUser), Postgres: guidedDatabase(t),
	})
	f.wrap = readOnlyRoot(t, f.data)
	f.launch("ingest")
	f.launch("aggregate")
	f.HTTP = "http://" + f.launch("api", "--drain", "0s").address
	load := f.startFlood(50 * time.Millisecond)
	time.Sleep(time.Second)
	load.end()
	if out := f.must("doctor"); strings.Contains(out, "FAULT") {
		t.Error(out)
	}
	f.apiWorks(t)
	f.aggregatorWorks(t, schematest.Connect(t, store.URL()))
	f.operatorLooks(t, as(t, store.HTTPURL(), guidedOperator))
	f.must("retention", "set", "--raw", "9d", "--hourly", "91d")
	f.must("retention", "set", "--raw", "7d", "--hourly", "90d", "--yes")
	f.must("dead", "list")
	f.erasesWhole(t)
}

// parses has the server read every statement of the guide; those that make users it cannot run here.
func parses(t *testing.T, admin driver.Conn) {
	t.Helper()
	for statement := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(guidedSQL(t)), ";"), ";") {
		if err := admin.Exec(t.Context(), "EXPLAIN AST "+statement); err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(statement), err)
		}
	}
}

// apiWorks asks for what reads every table.
func (f *fleet) apiWorks(t *testing.T) {
	t.Helper()
	token := strings.TrimSpace(f.must("token", "--license", f.id, "--role", "owner"))
	for _, path := range []string{
		"summary?range=24h", "timeseries?metric=players&range=24h", "timeseries?metric=players&range=30d", "servers", "metrics", "events?range=24h", "retention", "ingest",
		"export?range=1h&format=csv", "export?range=24h&format=parquet&granularity=hourly",
	} {
		f.ask("GET", "/api/analytics/"+path, token, nil, nil, 200)
	}
	f.ask("POST", "/api/analytics/events", token, fields{"kind": "note", "title": "granted"}, nil, 201)
	var job struct {
		ID    string `json:"id"`
		State string `json:"status"`
	}
	f.ask("POST", "/api/analytics/exports", token, fields{"range": "1h", "format": "csv"}, &job, 202)
	localtest.CheckFor(t, 20*time.Second, 50*time.Millisecond, func() error {
		if text := f.ask("GET", "/api/analytics/exports/"+job.ID, token, nil, &job, 200); job.State != "done" {
			return errors.New(text)
		}
		return nil
	})
}

// aggregatorWorks damages rollups and doubles rows, with an administrator's rights, and has both mended.
func (f *fleet) aggregatorWorks(t *testing.T, admin driver.Conn) {
	t.Helper()
	for _, damage := range []string{"TRUNCATE TABLE samples_hourly", "INSERT INTO samples SELECT * REPLACE(seq + 1000000 AS seq) FROM samples ORDER BY ts LIMIT 5"} {
		if err := admin.Exec(t.Context(), damage); err != nil {
			t.Fatal(err)
		}
	}
	for _, job := range []string{"verify", "verify-all", "marks", "retention"} {
		f.must("jobs", "run", job)
	}
	var rows, counted uint64
	if err := admin.QueryRow(t.Context(), "SELECT (SELECT count() FROM samples), (SELECT sum(samples) FROM hourly)").Scan(&rows, &counted); err != nil || rows == 0 || rows != counted {
		t.Errorf("%d rows, %d in the hours, %v", rows, counted, err)
	}
	if jobs := f.must("jobs", "list", "--limit", "100"); strings.Contains(jobs, "failed") {
		t.Error(jobs)
	}
}

// operatorLooks reads what an operator may read, and nothing else.
func (f *fleet) operatorLooks(t *testing.T, url string) {
	t.Helper()
	sql := func(query string) (int, string) {
		code, out, stderr := f.try("sql", "--clickhouse-http-url", url, query)
		return code, out + stderr
	}
	for _, table := range append(local.ReadableTables(), local.ReadableViews()...) {
		if code, out := sql("SELECT count() FROM corrosion." + table); code != 0 {
			t.Errorf("%s: %s", table, out)
		}
	}
	for _, query := range []string{"SELECT count() FROM corrosion.user_licenses", "SELECT count() FROM system.query_log", "TRUNCATE TABLE corrosion.samples", "INSERT INTO corrosion.samples (server_id) VALUES ('x')"} {
		if code, out := sql(query); code == 0 || !strings.Contains(out, "ACCESS_DENIED") {
			t.Errorf("%s: exit %d %s", query, code, out)
		}
	}
	if code, out := sql("SELECT number FROM numbers(100) SETTINGS max_execution_time = 1"); code != 0 {
		t.Errorf("a bound that is lowered: %s", out)
	}
}

// erasesWhole makes a license with a sample and has it removed from every store.
func (f *fleet) erasesWhole(t *testing.T) {
	t.Helper()
	ada := f.register("ada@example.org", "correct horse battery")
	var made struct {
		ID string `json:"license_id"`
	}
	ada.ask("POST", "/api/licenses", ada.access, fields{"name": "Short-lived"}, &made, 201)
	ada.take("/api/auth/token", fields{"license_id": made.ID})
	if _, err := f.js.Publish(t.Context(), "corrosion."+made.ID+".stats", []byte(`{"server_id":"eu-1","players":1}`)); err != nil {
		t.Fatal(err)
	}
	rows := func() (n uint64) {
		if err := f.conn.QueryRow(t.Context(), "SELECT count() FROM samples WHERE license_id = $1", made.ID).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	localtest.CheckFor(t, 20*time.Second, 50*time.Millisecond, func() error {
		if rows() == 0 {
			return errors.New("not stored yet")
		}
		return nil
	})
	var receipt struct {
		ID     string `json:"erasure_id"`
		Status string
	}
	ada.ask("DELETE", "/api/license", ada.access, fields{"name": "Short-lived", "password": "correct horse battery"}, &receipt, 202)
	localtest.CheckFor(t, 60*time.Second, 100*time.Millisecond, func() error {
		ada.ask("GET", "/api/licenses/erasures/"+receipt.ID, ada.access, nil, &receipt, 200)
		if left := rows(); receipt.Status == "pending" || left > 0 {
			return fmt.Errorf("%+v, %d rows are left", receipt, left)
		}
		return nil
	})
}
