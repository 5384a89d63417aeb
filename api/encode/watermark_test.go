package encode

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func openExporter(t *testing.T) *Exporter {
	t.Helper()
	cfg := DefaultConfig()
	cfg.URL = schematest.ClickHouseHTTP(t)
	exporter, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exporter.Close)
	return exporter
}

// numbered are samples of some days whose n tells them apart, received in any order.
func numbered(license uuid.UUID, from, count int) []schema.Sample {
	now := time.Now()
	samples := make([]schema.Sample, count)
	for i := range samples {
		ts := now.Add(-time.Duration(rand.N(int64(60 * time.Hour))))
		samples[i] = schema.Sample{
			License: license, ServerID: "s" + strconv.Itoa(rand.IntN(5)), TS: ts.UnixMilli(), Epoch: 1, Seq: uint64(from + i),
			ReceivedAt: now.Add(-time.Duration(rand.N(int64(time.Hour)))).UnixMilli(),
		}
		samples[i].SetUint(schema.N, uint64(from+i))
	}
	return samples
}

// slowInsert runs for about half a second and stores its rows at the end, over two partitions.
func slowInsert(ctx context.Context, conn driver.Conn, license uuid.UUID, from, count int) error {
	return conn.Exec(ctx, fmt.Sprintf(`INSERT INTO corrosion.samples (license_id, server_id, ts, n, epoch, seq, idx, received_at)
		SELECT '%s', 's1', now64(3) - toIntervalDay(number %% 2), %d + number, 1, number, 0, now64(3) FROM numbers(%d)
		WHERE sleepEachRow(%g) = 0 SETTINGS max_block_size = 1, min_insert_block_size_rows = 1000000, min_insert_block_size_bytes = 0`,
		license, from, count, 0.5/float64(count)))
}

// seenRows counts how often each n has been exported.
type seenRows map[uint64]int

func (s seenRows) read(t *testing.T, exporter *Exporter, r Request) {
	t.Helper()
	stream, err := exporter.Export(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	rows := uint64(0)
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		var row struct{ N uint64 }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		s[row.N]++
		rows++
	}
	if lines.Err() != nil || rows != stream.Rows() {
		t.Fatalf("%v, %d rows, counted %d", lines.Err(), rows, stream.Rows())
	}
}

// Whatever is inserted by how many at once, quick or slow, early or late: exports that go on from each other's watermark
// have every row once.
func TestEveryRowOnce(t *testing.T) {
	exporter, conn := openExporter(t), schematest.ClickHouse(t)
	license := uuid.New()
	const writers, batches, size = 4, 12, 25
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for b := range batches {
				from := (w*batches + b) * size
				if w == 0 {
					if err := slowInsert(t.Context(), conn, license, from, size); err != nil {
						t.Error(err)
					}
					continue
				}
				for range rand.IntN(20) { // batches come at uneven times
					if err := conn.Ping(t.Context()); err != nil {
						t.Error(err)
					}
				}
				schematest.InsertSamples(t, conn, numbered(license, from, size))
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()

	seen := seenRows{}
	first := Request{
		License: license, Granularity: schema.Raw, Format: NDJSON, From: time.Now().Add(-7 * 24 * time.Hour), To: time.Now().Add(time.Hour),
	}
	var since time.Time
	exports := 0
	for over := false; !over; exports++ {
		select {
		case <-done:
			over = true // one more export has what was left
		default:
		}
		bound, err := exporter.Watermark(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		r := first
		r.StoredBefore = bound
		if !since.IsZero() {
			r.From, r.To, r.StoredSince = time.Time{}, time.Time{}, since
		}
		seen.read(t, exporter, r)
		since = bound
	}
	const want = writers * batches * size
	missed, repeated := 0, 0
	for n := range uint64(want) {
		if seen[n] == 0 {
			missed++
		}
		if seen[n] > 1 {
			repeated++
		}
	}
	t.Logf("%d exports", exports)
	if missed > 0 || repeated > 0 || len(seen) != want || exports < 5 {
		t.Errorf("%d exports: %d rows missed, %d repeated, %d of %d seen", exports, missed, repeated, len(seen), want)
	}
}

// What could be seen is in the next export, and a row that is stored meanwhile is not.
func TestWatermarkIsFreshAndWaits(t *testing.T) {
	exporter, conn := openExporter(t), schematest.ClickHouse(t)
	license := uuid.New()
	schematest.InsertSamples(t, conn, numbered(license, 0, 3))
	bound, err := exporter.Watermark(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	r := Request{License: license, Granularity: schema.Raw, Format: NDJSON, StoredSince: time.Unix(1, 0), StoredBefore: bound}
	seen := seenRows{}
	seen.read(t, exporter, r)
	if len(seen) != 3 {
		t.Errorf("%d of 3 rows that could be seen", len(seen))
	}

	exporter.cfg.MaxSettle = 0
	slow := make(chan error, 1)
	go func() { slow <- slowInsert(context.Background(), conn, license, 10, 5) }()
	started := time.Now()
	localtest.CheckFor(t, 30*time.Second, 10*time.Millisecond, func() error {
		text, err := exporter.ask(t.Context(), "test", statement{text: "SELECT count() FROM system.processes WHERE query_kind = 'Insert'"})
		if err != nil || text == "0\n" {
			return fmt.Errorf("no INSERT runs: %w", err)
		}
		return nil
	})
	held := started
	for running := true; running; {
		select {
		case err := <-slow:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			bound, err := exporter.Watermark(t.Context(), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			seen.read(t, exporter, Request{License: license, Granularity: schema.Raw, Format: NDJSON, StoredSince: started, StoredBefore: later(bound, started)})
			if len(seen) > 3 { // it ended between two looks
				continue
			}
			held = bound
		}
	}
	if held.After(started.Add(time.Second / 4)) {
		t.Errorf("the bound %s is later than the INSERT that ran since %s", held, started)
	}
	after, err := exporter.Watermark(t.Context(), time.Time{})
	if err != nil || !after.After(held) {
		t.Errorf("the bound stays at %s after the INSERT: %s, %v", held, after, err)
	}
}

func TestPlanCountsDays(t *testing.T) {
	exporter, conn := openExporter(t), schematest.ClickHouse(t)
	license := uuid.New()
	day := time.Now().UTC().Truncate(24 * time.Hour)
	var samples []schema.Sample
	for i, ts := range []time.Time{day.Add(-48 * time.Hour), day.Add(-1), day.Add(-25 * time.Hour), day} {
		samples = append(samples, schema.Sample{License: license, ServerID: "a", TS: ts.UnixMilli(), ReceivedAt: day.UnixMilli(), Epoch: 1, Seq: uint64(i)})
	}
	schematest.InsertSamples(t, conn, samples)
	r := Request{License: license, Granularity: schema.Raw, Format: CSV, From: day.Add(-72 * time.Hour), To: day.Add(24 * time.Hour)}
	for _, granularity := range []schema.Resolution{schema.Raw, schema.Hourly} {
		r.Granularity = granularity
		days, err := exporter.Plan(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		want := []Day{{day.Add(-48 * time.Hour), 2}, {day.Add(-24 * time.Hour), 1}, {day, 1}}
		if len(days) != 3 || days[0] != want[0] || days[1] != want[1] || days[2] != want[2] {
			t.Errorf("%s: got %v, want %v", granularity, days, want)
		}
	}
}
