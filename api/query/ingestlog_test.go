package query

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

// logged stores a row of the ingest log.
func logged(t *testing.T, license uuid.UUID, minute time.Time, outcome string, count, bytes uint64) {
	t.Helper()
	err := schematest.ClickHouse(t).Exec(t.Context(), "INSERT INTO corrosion.ingest_log VALUES (?, ?, ?, ?, ?)", license, minute, outcome, count, bytes)
	if err != nil {
		t.Fatal(err)
	}
}

func TestIngestLog(t *testing.T) {
	license, other := uuid.New(), uuid.New()
	now := schema.FloorHour(time.Now()).Add(-37*time.Minute + 12*time.Second)
	minute := now.Truncate(time.Minute)
	for more := range uint64(2) { // rows of one key are added up
		logged(t, license, minute, "accepted", 300, 3000+more)
		logged(t, license, minute.Add(-time.Minute), "accepted", 30, 300+more)
	}
	logged(t, license, minute.Add(-time.Minute), "quota_samples", 5940, 59399)
	logged(t, license, minute.Add(-time.Minute), "quota_metrics", 7, 0)
	logged(t, license, minute.Add(-2*time.Hour), "accepted", 1_000_000, 1)
	logged(t, license, minute, "rejected:bad-ts", 2, 10)
	logged(t, other, minute, "duplicate", 5, 50)

	engine := New(schematest.ClickHouse(t), DefaultConfig(), func() time.Time { return now })
	got, err := engine.IngestLog(t.Context(), IngestRequest{License: license, Range: Range{now.Add(-time.Hour), now}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Step != "1m0s" || len(got.Timestamps) != 61 || got.Timestamps[60] != minute.UnixMilli() || !got.To.Equal(minute.Add(time.Minute)) {
		t.Errorf("%s steps, %d of them to %v", got.Step, len(got.Timestamps), got.To)
	}
	var outline string
	for _, o := range got.Outcomes {
		if len(o.Counts) != len(got.Timestamps) || o.Advice == "" {
			t.Errorf("%s: %d counts, advice %q", o.Outcome, len(o.Counts), o.Advice)
		}
		outline += fmt.Sprintf("%s %d %s, %d bytes, stored %v, last %v\n", o.Outcome, o.Total, o.Unit, o.Bytes, o.Stored, o.Counts[59:])
	}
	want := `accepted 660 samples, 6602 bytes, stored true, last [60 600]
duplicate 0 samples, 0 bytes, stored false, last [0 0]
quota_samples 5940 samples, 59399 bytes, stored false, last [5940 0]
quota_bytes 0 samples, 0 bytes, stored false, last [0 0]
quota_servers 0 samples, 0 bytes, stored false, last [0 0]
quota_metrics 7 values, 0 bytes, stored true, last [7 0]
rejected:bad-ts 2 samples, 10 bytes, stored false, last [0 2]
`
	if outline != want {
		t.Errorf("got\n%swant\n%s", outline, want)
	}
	if got.Peak != (IngestPeak{100, 1000}) {
		t.Errorf("peak %v", got.Peak)
	}
}

func TestIngestLogOfNothing(t *testing.T) {
	engine := New(schematest.ClickHouse(t), DefaultConfig(), time.Now)
	for _, length := range []time.Duration{time.Minute, time.Hour, day, 7 * day, 90 * day, 400 * day} {
		now := time.Now()
		got, err := engine.IngestLog(t.Context(), IngestRequest{License: uuid.New(), Range: Range{now.Add(-length), now}})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got.Timestamps); n < 1 || n > ingestPoints || len(got.Outcomes) != len(outcomeOrder()) || got.Peak != (IngestPeak{}) {
			t.Errorf("%s: %d points of %s, %d outcomes, peak %v", length, n, got.Step, len(got.Outcomes), got.Peak)
		}
	}
	if _, err := engine.IngestLog(t.Context(), IngestRequest{Range: Range{time.Now(), time.Now().Add(-time.Hour)}}); err == nil {
		t.Error("a range that ends before it begins was answered")
	}
}
