package query

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

// measured is a sample with one field and some custom metrics.
func measured(license uuid.UUID, server string, at time.Time, field schema.Field, custom ...string) schema.Sample {
	s := schema.Sample{License: license, ServerID: server, TS: at.UnixMilli(), ReceivedAt: at.UnixMilli(), Epoch: 1, Seq: 1}
	if field.Info().Kind == schema.Float {
		s.SetFloat(field, 1)
	} else {
		s.SetUint(field, 1)
	}
	for _, name := range custom {
		s.Metrics = append(s.Metrics, schema.Metric{Name: name, Value: 1})
	}
	return s
}

func TestMetricNames(t *testing.T) {
	license, other := uuid.New(), uuid.New()
	now := schema.FloorHour(time.Now()).Add(20 * time.Minute)
	conn := schematest.ClickHouse(t)
	schematest.InsertSamples(t, conn, []schema.Sample{
		measured(license, "a", now.Add(-time.Minute), schema.Players, "loot.spawned", "seed"),
		measured(license, "b", now.Add(-time.Minute), schema.FPS, "loot.spawned"),
		measured(license, "b", now.Add(-30*time.Hour), schema.MemoryMB, "gone"),
		measured(other, "c", now.Add(-time.Minute), schema.Entities, "theirs"),
	})
	engine := New(conn, DefaultConfig(), func() time.Time { return now })
	outline := func(r MetricsRequest) (text string) {
		t.Helper()
		got, err := engine.MetricNames(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got.Metrics {
			text += fmt.Sprintf("%s [%s] %d %v\n", m.Metric, m.Unit, m.Servers, m.Custom)
		}
		return text
	}
	day := Range{now.Add(-24 * time.Hour), now}
	for name, c := range map[string]struct {
		request MetricsRequest
		want    string
	}{
		"all": {MetricsRequest{Scope{License: license}, day}, "fps [frames/s] 1 false\nmetrics.loot.spawned [] 2 true\nmetrics.seed [] 1 true\nplayers [persons] 1 false\n"},
		"one": {MetricsRequest{Scope{License: license, Servers: []string{"b"}}, day}, "fps [frames/s] 1 false\nmetrics.loot.spawned [] 1 true\n"},
		"longer": {MetricsRequest{Scope{License: license, Servers: []string{"b"}}, Range{now.Add(-48 * time.Hour), now}},
			"fps [frames/s] 1 false\nmemory_mb [MiB] 1 false\nmetrics.gone [] 1 true\nmetrics.loot.spawned [] 1 true\n"},
		"nothing": {MetricsRequest{Scope{License: license, Selected: true}, day}, ""},
	} {
		if got := outline(c.request); got != c.want {
			t.Errorf("%s:\n%swant:\n%s", name, got, c.want)
		}
	}
}
