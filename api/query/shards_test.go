package query

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// What two shards answer is what one server answers with the same samples: from totals and days that are true, from others
// that late samples have overtaken, and from hours, for a whole license, chosen servers and each server by itself.
func TestTwoShardsAnswerAsOneServer(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2)
	if _, err := schema.MigrateClickHouse(t.Context(), c.URL()); err != nil {
		t.Fatal(err)
	}
	now := schema.FloorHour(time.Now()).Add(-23*time.Minute - 17*time.Second)
	g := newGenerator(7)
	paces := []time.Duration{20 * time.Second, time.Minute, 4 * time.Minute}
	for _, id := range []string{"s0", "s1", "s2", "s3", "s4", "s5"} {
		g.server(id, now.Add(-3*time.Hour), now, paces)
		g.server(id, now.Add(-75*time.Hour), now.Add(-70*time.Hour), paces)
		g.server(id, now.Add(-190*time.Hour), now.Add(-187*time.Hour), paces)
	}
	var engines []*Engine
	for _, conn := range []driver.Conn{oneServer(t), schematest.Connect(t, c.URL())} {
		schematest.InsertSamples(t, conn, g.samples[:len(g.samples)*9/10])
		refreshTotals(t, conn)
		schematest.InsertSamples(t, conn, g.samples[len(g.samples)*9/10:])
		s := scene{generator: g, now: now, engine: New(conn, DefaultConfig(), func() time.Time { return now })}
		s.writeNetwork(t, conn)
		engines = append(engines, s.engine)
	}
	for range 2 {
		compareEngines(t, engines, g, now)
		for _, e := range engines {
			refreshTotals(t, e.run.conn) // the late samples, too
		}
	}
}

// oneServer is a single server, whatever the shared one is.
func oneServer(t *testing.T) driver.Conn {
	t.Helper()
	if localtest.Shards() == 1 {
		return schematest.ClickHouse(t)
	}
	url := localtest.NewClickHouse(t).URL()
	if _, err := schema.MigrateClickHouse(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return schematest.Connect(t, url)
}

func compareEngines(t *testing.T, engines []*Engine, g *generator, now time.Time) {
	t.Helper()
	same := func(what string, ask func(*Engine) (any, error)) {
		t.Helper()
		var answers [2]string
		for i, e := range engines {
			answer, err := ask(e)
			if err != nil {
				t.Fatal(what, i+1, err)
			}
			text, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			answers[i] = string(text)
		}
		if !sameJSON(t, answers[0], answers[1]) {
			t.Errorf("%s: one server and two shards differ:\n%.1500s\n%.1500s", what, answers[0], answers[1])
		}
	}
	lengths := []time.Duration{4 * time.Hour, 9 * day}
	if localtest.Shards() > 1 { // a run for shards has the time for more
		lengths = append(lengths, time.Hour, 4*day)
	}
	for _, length := range lengths {
		r := Range{now.Add(-length).Truncate(time.Minute), now}
		for _, servers := range [][]string{nil, {"s1", "s4"}} {
			scope := Scope{License: g.license, Servers: servers}
			same("summary of "+length.String(), func(e *Engine) (any, error) { return e.Summary(t.Context(), SummaryRequest{scope, r}) })
			for _, agg := range []Agg{Avg, Max, Last, P95, Min, Sum, Count} {
				if servers != nil && agg != Avg && agg != Last && localtest.Shards() == 1 {
					continue
				}
				for _, group := range []GroupBy{GroupNone, GroupServer} {
					q := TimeseriesRequest{Scope: scope, Range: r, Metrics: []string{"fps", "frame_ms"}, Agg: agg, GroupBy: group, MaxPoints: 60}
					if !isPercentile(agg) {
						q.Metrics = allMetrics
					}
					same(string(agg)+" of "+length.String()+" "+strings.Join(servers, ","), func(e *Engine) (any, error) { return e.Timeseries(t.Context(), q) })
				}
			}
		}
	}
}

// sameJSON compares documents, numbers to nine digits: sums of floats depend on the order.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return sameValue(x, y)
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && near(&a, &b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameValue(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if !sameValue(a[k], b[k]) {
				return false
			}
		}
		return true
	}
	return a == b
}
