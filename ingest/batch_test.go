package ingest

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"

	"corrosion/schema"
)

var update = flag.Bool("update", false, "renew the golden files")

// testSample is sample number n of a run of lifelike ones: 13 fields, and two metrics on every tenth.
func testSample(n int) schema.Sample {
	s := schema.Sample{
		License: uuid.UUID{0: 1, 15: byte(n % 3)}, ServerID: "server-" + strconv.Itoa(n%50),
		TS: 1_800_000_000_000 + int64(n)*1000, Epoch: 7, Seq: uint64(n) + 1, Idx: uint16(n % 4), ReceivedAt: 1_800_000_000_500 + int64(n)*1000,
	}
	s.SetUint(schema.N, uint64(n))
	s.SetText(schema.Boot, "boot-"+strconv.Itoa(n%50))
	s.SetUint(schema.Players, uint64(n%200))
	s.SetUint(schema.MaxPlayers, 200)
	s.SetFloat(schema.FPS, 59.5+float64(n%10)/10)
	s.SetFloat(schema.FrameMS, 16.25)
	s.SetUint(schema.Entities, 180_000+uint64(n))
	s.SetUint(schema.NetIn, 1<<40+uint64(n))
	if n%2 == 0 {
		s.SetText(schema.Map, "Procedural Map")
	}
	if n%10 == 0 {
		s.Metrics = []schema.Metric{{Name: "oxide.hooks", Value: float64(n)}, {Name: "gc", Value: 0.5}}
	}
	return s
}

func encoded(t *testing.T, b *batch) []byte {
	t.Helper()
	var buf proto.Buffer
	block := proto.Block{Columns: len(b.input), Rows: b.rows}
	if err := block.EncodeRawBlock(&buf, proto.Version, b.input); err != nil {
		t.Fatal(err)
	}
	return buf.Buf
}

func TestBatchGolden(t *testing.T) {
	b := newBatch()
	fill := func() {
		for n := range 12 {
			s := testSample(n)
			b.Append(&s)
		}
	}
	fill()
	got := bytes.Clone(encoded(t, b))
	const file = "testdata/batch.raw"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("block differs from %s (%d and %d bytes); renew with -update", file, len(got), len(want))
	}
	b.Reset()
	fill()
	if !bytes.Equal(encoded(t, b), want) {
		t.Error("block after Reset differs")
	}
}

func TestBatchAppendAllocatesNothing(t *testing.T) {
	samples := make([]schema.Sample, 1000)
	for n := range samples {
		samples[n] = testSample(n)
	}
	b := newBatch()
	r := receipt{reply: "$JS.ACK", epoch: 1, storedAt: 1}
	fill := func() {
		for n := range samples {
			b.Append(&samples[n])
			b.owe(r, time.Time{})
		}
		b.Reset()
	}
	fill()
	if n := testing.AllocsPerRun(20, fill); n != 0 {
		t.Errorf("%v allocations for %d samples, want 0", n, len(samples))
	}
}

// Where there is room no column moves, and what a batch holds fits into what is asked for by default.
func TestBatchHasRoom(t *testing.T) {
	b := newBatch().room(1000)
	before := []int{cap(b.license), cap(b.ts), cap(b.server.keys), cap(b.fields[schema.FPS].number.nulls), cap(b.metrics.ends), cap(b.received)}
	for n := range 1000 {
		s := testSample(n)
		b.Append(&s)
	}
	after := []int{cap(b.license), cap(b.ts), cap(b.server.keys), cap(b.fields[schema.FPS].number.nulls), cap(b.metrics.ends), cap(b.received)}
	if !slices.Equal(before, after) {
		t.Errorf("capacities were %v, are %v", before, after)
	}
	if c := DefaultConfig().Batch; c.room() < c.Rows || c.room()*rowBytes > 2*c.Bytes {
		t.Errorf("room for %d rows", c.room())
	}
}

func TestBatchFull(t *testing.T) {
	b := newBatch()
	limit := BatchConfig{Rows: 3, Bytes: 10_000}
	s := testSample(1)
	b.Append(&s)
	b.Append(&s)
	if b.Full(limit) {
		t.Error("full before its rows")
	}
	b.Append(&s)
	if !b.Full(limit) {
		t.Error("not full by rows")
	}
	b.Reset()
	b.bury(letter{body: make([]byte, 10_000)})
	if !b.Full(limit) {
		t.Error("not full by bytes")
	}
	b.Reset()
	if b.Full(limit) || !b.empty() || b.bytes != 0 {
		t.Error("not empty after Reset")
	}
}

// Words are decoded by ch-go's own reader, for dictionaries of one, two and four bytes a key.
func TestWordsRoundTrip(t *testing.T) {
	for _, distinct := range []int{1, 255, 256, 300, 70_000} {
		w := newWords(false, new(int))
		rows := distinct + 1000
		want := make([]string, rows)
		for i := range want {
			want[i] = strconv.Itoa(i % distinct)
			w.append(want[i])
		}
		var buf proto.Buffer
		w.EncodeState(&buf)
		w.EncodeColumn(&buf)
		got := proto.NewLowCardinality(new(proto.ColStr))
		r := proto.NewReader(bytes.NewReader(buf.Buf))
		if err := got.DecodeState(r); err != nil {
			t.Fatal(err)
		}
		if err := got.DecodeColumn(r, rows); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if got.Row(i) != want[i] {
				t.Fatalf("%d distinct: row %d is %q, want %q", distinct, i, got.Row(i), want[i])
			}
		}
	}
}

func TestSeen(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s, want := newSeen(), map[uint64]bool{}
	for range 20_000 {
		seq := uint64(random.IntN(5000)) + 1
		if got := s.take(9, seq); got == want[seq] {
			t.Fatalf("take(%d) = %v, taken before: %v", seq, got, want[seq])
		}
		want[seq] = true
	}
	var first uint64
	for seq := range want {
		first = seq
		break
	}
	if s.isStored(9, first) {
		t.Error("held counts as stored")
	}
	s.store(9, first)
	if !s.isStored(9, first) || s.isStored(8, first) {
		t.Error("stored is not known by epoch and sequence")
	}
	for epoch := range uint64(maxEpochs) {
		s.take(100+epoch, 1)
	}
	if len(s.held) != maxEpochs || s.held[9] != nil {
		t.Errorf("%d epochs remembered", len(s.held))
	}
}

// go test ./ingest -run '^$' -bench BenchmarkBatchAppend -benchmem
func BenchmarkBatchAppend(b *testing.B) {
	samples := make([]schema.Sample, 1000)
	for n := range samples {
		samples[n] = testSample(n)
	}
	batch := newBatch()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		batch.Append(&samples[n%len(samples)])
		if batch.rows == 100_000 {
			batch.Reset()
		}
	}
}
