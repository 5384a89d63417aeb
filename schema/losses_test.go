package schema_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// A smaller limit says which rows it would delete, by the later of ts and received_at; growing loses nothing.
func TestLosses(t *testing.T) {
	const day = 24 * time.Hour
	server := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	conn := schematest.Connect(t, server.URL())
	now := time.Now().Truncate(time.Second)
	var samples []schema.Sample
	for i, at := range []struct{ measured, came time.Duration }{{time.Hour, time.Hour}, {5 * day, 5 * day}, {6 * day, 6 * day}, {6 * day, time.Hour}} {
		s := schema.Sample{License: uuid.New(), ServerID: "s", TS: now.Add(-at.measured).UnixMilli(), ReceivedAt: now.Add(-at.came).UnixMilli(), Epoch: 1, Seq: uint64(i)}
		s.SetUint(schema.Players, 1)
		samples = append(samples, s)
	}
	schematest.InsertSamples(t, conn, samples)
	losses, err := schema.Losses(t.Context(), conn, schema.Retention{Raw: 2 * day, Hourly: 90 * day})
	if err != nil || len(losses) == 0 {
		t.Fatal(losses, err)
	}
	for _, l := range losses {
		if l.Resolving != schema.Raw || l.From != 7*day || l.To != 2*day {
			t.Errorf("a limit that does not shrink: %+v", l)
		}
		if l.Table == "samples" && (l.Rows != 2 || !l.Oldest.Equal(now.Add(-6*day)) || l.Bytes == 0) {
			t.Errorf("got %+v, want 2 rows, the oldest 6 days old", l)
		}
	}
	losses, err = schema.Losses(t.Context(), conn, schema.Retention{Raw: 7 * day, Hourly: 30 * day})
	tables := map[string]bool{}
	for _, l := range losses {
		tables[l.Table] = true
		if l.Rows != 0 || !l.Oldest.IsZero() || l.Bytes != 0 {
			t.Errorf("nothing is 30 days old: %+v", l)
		}
	}
	if err != nil || !tables["samples_hourly"] || !tables["metrics_hourly"] || !tables["network_hours"] || tables["samples"] {
		t.Errorf("got %v %v", losses, err)
	}
	if losses, err = schema.Losses(t.Context(), conn, schema.Retention{Raw: 30 * day, Hourly: 365 * day}); err != nil || len(losses) != 0 {
		t.Errorf("growing loses %v %v", losses, err)
	}
	if err := schema.ApplyRetention(t.Context(), conn, schema.Retention{Raw: 30 * day, Hourly: 365 * day}); err != nil {
		t.Fatal(err)
	}
	kept, err := schema.KeptTables(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kept {
		if want := map[schema.Resolution]time.Duration{schema.Raw: 30 * day, schema.Hourly: 365 * day, schema.Fixed: k.Keep}[k.Resolution]; k.Keep != want {
			t.Errorf("%s keeps %s, want %s", k.Name, schema.Days(k.Keep), schema.Days(want))
		}
		if k.Resolution == schema.Fixed && (k.Keep == 7*day || k.Keep == 90*day) {
			t.Errorf("%s has a limit that no setting changes: is it fixed?", k.Name)
		}
	}
}

func TestRetentionValidate(t *testing.T) {
	const day = 24 * time.Hour
	for _, bad := range []schema.Retention{{}, {Raw: day}, {Raw: 2 * day, Hourly: day}, {Raw: 36 * time.Hour, Hourly: 90 * day}, {Raw: -day, Hourly: day}, {Raw: day, Hourly: 3651 * day}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
