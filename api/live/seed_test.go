package live

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestNewestFromClickHouse(t *testing.T) {
	conn, license := schematest.ClickHouse(t), uuid.New()
	at := time.Now().Add(-time.Minute).UnixMilli()
	full := sampleOf("a", at, 3)
	full.SetText(schema.Map, "Procedural")
	full.SetFloat(schema.FPS, 59.5)
	full.SetUint(schema.NetIn, 1<<40)
	full.Metrics = []schema.Metric{{Name: "b", Value: 2}, {Name: "z", Value: 1}}
	rows := []*schema.Sample{sampleOf("a", at-1000, 99), full, sampleOf("b", at, 1), sampleOf("b", at, 2), sampleOf("old", at-3_600_000, 9)}
	var stored []schema.Sample
	for i, s := range rows {
		s.License, s.Epoch, s.Seq, s.ReceivedAt = license, 1, uint64(i), s.TS
		stored = append(stored, *s)
	}
	stranger := sampleOf("stranger", at, 1)
	stranger.License = uuid.New()
	schematest.InsertSamples(t, conn, append(stored, *stranger))
	got, err := NewStore(conn).Newest(t.Context(), license, time.UnixMilli(at-60_000), 10)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if !equal(&got[0], full) || got[0].TS != at || got[0].ServerID != "a" || got[0].License != license {
		t.Errorf("got %+v, want %+v", got[0], *full)
	}
	if got[1].Uint(schema.Players) != 2 {
		t.Errorf("of one moment the later row counts: %+v", got[1])
	}
	if heard, err := NewStore(conn).Heard(t.Context(), license, 2); err != nil || len(heard) != 2 || heard["a"] != at || heard["b"] != at {
		t.Errorf("heard %v, %v", heard, err)
	}
	if got, err = NewStore(conn).Newest(t.Context(), license, time.UnixMilli(at-60_000), 1); err != nil || len(got) != 1 {
		t.Errorf("bounded: %d, %v", len(got), err)
	}
}
