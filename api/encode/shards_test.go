package encode

import (
	"io"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// A file from two shards is, byte by byte, that of one server with the same samples; what is stored later comes with the
// next cursor, once, whichever shard it is on.
func TestExportsOfTwoShardsEqualThoseOfOneServer(t *testing.T) {
	c := localtest.NewClickHouseCluster(t, 2)
	if _, err := schema.MigrateClickHouse(t.Context(), c.URL()); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.URL = c.HTTPURL()
	two, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(two.Close)
	one := openExporter(t)
	license := uuid.New()
	samples := numbered(license, 0, 4000)
	spread := schematest.Connect(t, c.URL())
	schematest.InsertSamples(t, spread, samples)
	schematest.InsertSamples(t, schematest.ClickHouse(t), samples)
	read := func(e *Exporter, r Request) string {
		t.Helper()
		stream, err := e.Export(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		text, err := io.ReadAll(stream)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	r := Request{License: license, From: time.Now().Add(-61 * time.Hour), To: time.Now(), Granularity: schema.Raw, Format: CSV}
	for _, format := range []Format{CSV, NDJSON} {
		for _, of := range []schema.Resolution{schema.Raw, schema.Hourly} {
			r.Format, r.Granularity = format, of
			if a, b := read(one, r), read(two, r); a != b || len(a) < 10_000 {
				t.Errorf("%s of %s: %d and %d bytes differ", format, of, len(a), len(b))
			}
		}
	}
	r.Format, r.Granularity = NDJSON, schema.Raw
	seen := seenRows{}
	var since time.Time
	for round := range 4 {
		if round > 0 {
			schematest.InsertSamples(t, spread, numbered(license, 4000+round*100, 100))
		}
		before, err := two.Watermark(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		next := r
		next.StoredBefore = before
		if round > 0 {
			next.From, next.To, next.StoredSince = time.Time{}, time.Time{}, since
		}
		seen.read(t, two, next)
		since = before
	}
	if len(seen) != 4300 {
		t.Errorf("%d rows were exported in four rounds, want 4300", len(seen))
	}
	for n, times := range seen {
		if times != 1 {
			t.Errorf("row %d was exported %d times", n, times)
		}
	}
}
