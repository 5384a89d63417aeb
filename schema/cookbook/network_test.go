package cookbook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/deploy/local/localtest"
	"corrosion/schema/cookbook"
	"corrosion/schema/schematest"
)

// The network that every query is asked about ends at a fixed moment, so that its answers are always the same.
const (
	end     = "2026-11-20T18:00:00Z"
	license = "00000000-0000-4000-8000-00000000c00c"
	foreign = "00000000-0000-4000-8000-0000000000ff"
)

var filled struct {
	sync.Mutex
	done bool
}

// fill stores both tenants' rows once in the test process's own ClickHouse. Limits are taken off the tables: the rows'
// times are fixed and would expire.
func fill(t *testing.T) driver.Conn {
	t.Helper()
	conn := schematest.ClickHouse(t)
	filled.Lock()
	defer filled.Unlock()
	if filled.done {
		return conn
	}
	for _, table := range []string{"samples", "samples_hourly", "metrics_hourly", "network_hours", "event_log"} {
		requireTable(t, conn, table)
		must(t, conn.Exec(t.Context(), "ALTER TABLE corrosion."+table+" REMOVE TTL"))
	}
	// Small parts would keep their columns in one file, whose sizes nobody can tell apart.
	must(t, conn.Exec(t.Context(), "ALTER TABLE corrosion.samples MODIFY SETTING min_bytes_for_wide_part = 0"))
	insert(t, conn, "samples.sql", license)
	insert(t, conn, "foreign.sql", foreign)
	insert(t, conn, "network_hourly.sql", "")
	insert(t, conn, "events.sql", license)
	insert(t, conn, "events.sql", foreign)
	filled.done = true
	return conn
}

func requireTable(t *testing.T, conn driver.Conn, table string) {
	t.Helper()
	var n uint64
	must(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = 'corrosion' AND name = ?", table).Scan(&n))
	if n == 0 {
		t.Fatalf("no migration makes the table %s, which the cookbook reads", table)
	}
}

func insert(t *testing.T, conn driver.Conn, file, license string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	must(t, err)
	parameters := clickhouse.Parameters{"end": strings.TrimSuffix(strings.Replace(end, "T", " ", 1), "Z")}
	if license != "" {
		parameters["license"] = license
	}
	must(t, conn.Exec(clickhouse.Context(t.Context(), clickhouse.WithParameters(parameters)), string(text)))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is a result as ClickHouse's JSON format gives it.
type answer struct {
	Meta []struct{ Name, Type string }
	Data []map[string]any
}

func (a answer) columns() []string {
	var columns []string
	for _, m := range a.Meta {
		columns = append(columns, m.Name+" "+m.Type)
	}
	return columns
}

// row is the first row whose column holds value; nil where there is none.
func (a answer) row(column string, value any) map[string]any {
	for _, r := range a.Data {
		if fmt.Sprint(r[column]) == fmt.Sprint(value) {
			return r
		}
	}
	return nil
}

// values are one column's.
func (a answer) values(column string) []string {
	var values []string
	for _, r := range a.Data {
		values = append(values, fmt.Sprint(r[column]))
	}
	return values
}

// ask runs a query of the cookbook as operators do: over HTTP, as the user operator, with parameters.
func ask(t *testing.T, name string, given map[string]string) answer {
	t.Helper()
	return askAt(t, schematest.ClickHouseHTTP(t), name, given)
}

func askAt(t *testing.T, target, name string, given map[string]string) answer {
	t.Helper()
	q, values := bind(t, name, given)
	body, err := operator(t.Context(), target, q.SQL, "JSON", values, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var a answer
	must(t, json.Unmarshal(body, &a))
	return a
}

// bind fills in the license and the fixed end where the query wants them and nothing else is given.
func bind(t *testing.T, name string, given map[string]string) (cookbook.Query, map[string]string) {
	t.Helper()
	q, ok := cookbook.Get(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	all := map[string]string{}
	for _, p := range q.Params {
		switch p.Name {
		case "license":
			all[p.Name] = license
		case "until":
			all[p.Name] = end
		}
	}
	for name, value := range given {
		all[name] = value
	}
	values, err := q.Bind(all)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return q, values
}

// operator asks ClickHouse over HTTP as the read-only user.
func operator(ctx context.Context, target, query, format string, parameters, settings map[string]string) ([]byte, error) {
	values := url.Values{"default_format": {format}, "output_format_json_quote_64bit_integers": {"0"}}
	for name, value := range parameters {
		values.Set("param_"+name, value)
	}
	for name, value := range settings {
		values.Set(name, value)
	}
	return schematest.Ask(ctx, target, url.UserPassword("operator", localtest.OperatorPassword), query, values)
}

// shape is the documented one.
func shape(q cookbook.Query) []string {
	var columns []string
	for _, c := range q.Answer {
		columns = append(columns, c.Name+" "+c.Type)
	}
	return columns
}
