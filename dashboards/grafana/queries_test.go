package grafana

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"corrosion/deploy/local/localtest"
	"corrosion/schema/schematest"
)

const license = "00000000-0000-4000-8000-00000000da5b"

// queriesOf are a dashboard's ClickHouse queries, by where they stand.
func queriesOf(d dashboard) map[string]string {
	all := map[string]string{}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			if q.RawSQL != "" {
				all[fmt.Sprintf("panel %q %s", p.Title, q.RefID)] = q.RawSQL
			}
		}
	}
	for _, a := range d.Annotations.List {
		if a.BuiltIn == 0 {
			all[fmt.Sprintf("annotation %q", a.Name)] = a.Target.RawSQL
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			all["variable "+v.Name] = v.Query
		}
	}
	return all
}

// fillNow stores three hours of three servers up to now: "lag" is slow for five minutes, "silent" stops an hour early,
// "main" restarts once; and a deploy in the middle.
func fillNow(t *testing.T, now time.Time) {
	t.Helper()
	conn := schematest.ClickHouse(t)
	for _, statement := range []string{`
INSERT INTO corrosion.samples (license_id, server_id, ts, boot, players, max_players, queued, joining, fps, frame_ms, entities,
    memory_mb, cpu_percent, net_in, net_out, uptime_s, map, version, metrics, epoch, seq, idx, received_at)
SELECT {license:UUID}, ['main', 'lag', 'silent'][i + 1] AS name, at, if(name = 'main' AND before <= 90, 'b', 'a'), 50 + i * 10, 100, if(i = 0, 3, 0), 1,
    if(name = 'lag' AND before BETWEEN 30 AND 35, 7, 60), 16.7, 100000, 6000, 50, 1000, 2000,
    if(name = 'main' AND before <= 90, (90 - before) * 60, 100000 - before * 60), 'm', '2384.1', map('oxide.hook_ms.Kits', 1), 5, number, i, at
FROM (SELECT number, number % 3 AS i, intDiv(number, 3) AS before, subtractSeconds(toDateTime64({now:String}, 3, 'UTC'), before * 60 + 5) AS at FROM numbers(540))
WHERE NOT (name = 'silent' AND before < 60)`, `
INSERT INTO corrosion.network_hours (license_id, hour, peak_players, peak_at, avg_players, servers_reporting, samples, version)
SELECT license_id, toStartOfHour(ts) AS hour, 180, hour, 170, 3, count(), 1 FROM corrosion.samples WHERE license_id = {license:UUID} GROUP BY license_id, hour`, `
INSERT INTO corrosion.event_log (license_id, ts, event_id, server_id, kind, title, source)
SELECT {license:UUID}, subtractMinutes(toDateTime64({now:String}, 3, 'UTC'), 80), generateUUIDv4(), '', 'deploy', 'Kits 2.0', 'api'`} {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"license": license, "now": now.Format(time.DateTime)}))
		if err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
}

type result struct {
	Meta []struct{ Name, Type string }
	Data []map[string]any
}

// ask sends a query as Grafana's data source would: as operator, in one piece, bounded by the plugin's own timeout.
func ask(t *testing.T, query string) (result, error) {
	t.Helper()
	body, err := schematest.Ask(t.Context(), schematest.ClickHouseHTTP(t), url.UserPassword("operator", localtest.OperatorPassword), query,
		url.Values{"default_format": {"JSON"}, "database": {"corrosion"}, "max_execution_time": {"60"}})
	if err != nil {
		return result{}, err
	}
	var r result
	return r, json.Unmarshal(body, &r)
}

// Every query of every dashboard runs as operator, for all servers and for chosen ones, and answers with rows in the
// shape that its panel draws.
func TestEveryQueryRuns(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	fillNow(t, now)
	for file, d := range load(t) {
		for _, v := range views(d, now) {
			for where, query := range queriesOf(d) {
				expanded, err := v.expand(query)
				if err != nil {
					t.Errorf("%s: %s: %v", file, where, err)
					continue
				}
				r, err := ask(t, expanded)
				if err != nil {
					t.Errorf("%s: %s: %v\n%s", file, where, err, expanded)
					continue
				}
				if len(r.Data) == 0 && !mayBeEmpty(where) {
					t.Errorf("%s: %s answers nothing:\n%s", file, where, expanded)
				}
				checkShape(t, file+": "+where, d, where, r)
			}
		}
	}
}

// mayBeEmpty names the panels whose empty answer is the right one.
func mayBeEmpty(where string) bool {
	return strings.Contains(where, "Hours whose rollup differs from raw")
}

// views are "All" servers and, where several can be chosen, each of them chosen by name.
func views(d dashboard, now time.Time) []view {
	servers := []string{"main", "lag", "silent"}
	v := view{from: now.Add(-4 * time.Hour), to: now, interval: time.Minute, everything: []string{"metric", "server"},
		chosen: map[string][]string{"license": {license}, "server": servers, "metric": {"oxide.hook_ms.Kits"}, "below": {"20"}}}
	if !slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == "server" && v.Multi }) {
		v.chosen["server"] = servers[:1]
		return []view{v}
	}
	byName := v
	byName.everything = nil
	return []view{v, byName}
}

// checkShape wants a time first in what is drawn over time, numbers in its other columns but labels, and the columns that
// Grafana reads of an annotation.
func checkShape(t *testing.T, name string, d dashboard, where string, r result) {
	t.Helper()
	var columns []string
	for _, m := range r.Meta {
		columns = append(columns, m.Name)
	}
	if strings.HasPrefix(where, "annotation") && !slices.Equal(columns, []string{"time", "text", "tags"}) {
		t.Errorf("%s has the columns %v", name, columns)
	}
	if strings.HasPrefix(where, "variable") && len(columns) != 1 {
		t.Errorf("%s has the columns %v", name, columns)
	}
	for _, p := range d.Panels {
		if p.Type != "timeseries" || !strings.HasPrefix(where, fmt.Sprintf("panel %q", p.Title)) {
			continue
		}
		if columns[0] != "time" || !strings.HasPrefix(r.Meta[0].Type, "DateTime") {
			t.Errorf("%s begins with %s %s, not with a time", name, columns[0], r.Meta[0].Type)
		}
		last := r.Meta[len(r.Meta)-1].Type
		if strings.Contains(last, "String") || len(columns) < 2 {
			t.Errorf("%s ends with a %s, not with a number", name, last)
		}
	}
}

// The three questions of docs/cookbook.md get the answers that are in the data.
func TestPanelsAnswer(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	fillNow(t, now)
	d := load(t)["network.json"]
	v := views(d, now)[0]
	f := func(title, column string, want ...string) result {
		t.Helper()
		query := queriesOf(d)[fmt.Sprintf("panel %q A", title)]
		expanded, err := v.expand(query)
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		r, err := ask(t, expanded)
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		var got []string
		for _, row := range r.Data {
			got = append(got, fmt.Sprint(row[column]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s is %v, want %v", title, column, got, want)
		}
		return r
	}
	f("Top servers", "server", "silent", "lag", "main")
	f("Lag spikes", "server", "lag")
	f("Servers gone silent", "server", "silent")
	f("Players now", "players", "110")
	f("Servers silent", "silent", "1")
	f("Restarts", "restarts", "1")
}
