package query

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

// Each license hears of its own rows; limits are the tables' own.
func TestStoredCountsOneLicense(t *testing.T) {
	conn := schematest.ClickHouse(t)
	mine, theirs := uuid.New(), uuid.New()
	now := time.Now().Truncate(time.Millisecond).UTC()
	var samples []schema.Sample
	for i, license := range []uuid.UUID{mine, mine, mine, theirs} {
		at := now.Add(-time.Duration(i) * 25 * time.Hour)
		s := schema.Sample{License: license, ServerID: "s", TS: at.UnixMilli(), ReceivedAt: at.UnixMilli(), Epoch: 1, Seq: uint64(i)}
		s.SetUint(schema.Players, 1)
		samples = append(samples, s)
	}
	schematest.InsertSamples(t, conn, samples)
	engine := New(conn, DefaultConfig(), time.Now)
	stored, err := engine.Stored(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]StoredTable{}
	for _, table := range stored.Tables {
		got[table.Table] = table
	}
	raw, hours := got["samples"], got["samples_hourly"]
	if raw.Rows != 3 || raw.Oldest == nil || !raw.Oldest.Equal(now.Add(-50*time.Hour)) || raw.Limit != "7d" || raw.LimitSeconds != 604800 || raw.Resolution != schema.Raw {
		t.Errorf("samples: %+v", raw)
	}
	if hours.Rows != 3 || hours.Limit != "90d" || hours.Oldest == nil || !hours.Oldest.Equal(schema.FloorHour(now.Add(-50*time.Hour))) {
		t.Errorf("samples_hourly: %+v", hours)
	}
	if raw.Bytes == 0 || raw.BytesPerSample == nil || *raw.BytesPerSample != float64(raw.Bytes)/3 || *hours.BytesPerSample != float64(hours.Bytes)/3 {
		t.Errorf("bytes: %+v %+v", raw, hours)
	}
	if n := got["network_hourly"]; n.Rows != 0 || n.Oldest != nil || n.BytesPerSample != nil || n.Limit != "90d" {
		t.Errorf("network_hourly: %+v", n)
	}
	if _, ok := got["message_ids"]; ok {
		t.Error("message_ids is nobody's business")
	}
	if stored, err = engine.Stored(t.Context(), uuid.New()); err != nil || len(stored.Tables) < 4 || stored.Tables[0].Rows != 0 {
		t.Errorf("a license without rows: %+v %v", stored, err)
	}
}
