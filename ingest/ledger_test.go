package ingest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
	"corrosion/schema/wire"
)

func TestQuestionsGolden(t *testing.T) {
	const file = "testdata/questions.golden"
	fence := newInsertFence(schema.SamplesTable)
	got := strings.Join([]string{
		identifyServer, askHighest, askStored, askRunning, killRunning, askTwins, insertIDs, askIDs, askMarkIDs, insertTallies, fence.text(1789999999999, 1790000000000),
	}, "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("questions differ from %s; renew with -update:\n%s", file, got)
	}
}

// plain is a sample that its publisher did not number, so that only its identity tells whether it is stored.
func plain(n int, ts time.Time) schema.Sample {
	s := schema.Sample{ServerID: "server", TS: ts.UnixMilli()}
	s.SetUint(schema.Players, uint64(n))
	s.SetText(schema.Map, fmt.Sprint("map-", n%3))
	s.Metrics = []schema.Metric{{Name: fmt.Sprint("m", n%2), Value: float64(n)}, {Name: "n", Value: float64(n)}}
	return s
}

// A batch that spans days was stored in part by a ClickHouse that was killed, and its ingester was killed, too.
func TestPartlyStoredBatchIsCompleted(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	r.stop()
	stream, err := r.js.Stream(t.Context(), schema.StreamStats)
	if err != nil {
		t.Fatal(err)
	}
	epoch := uint64(stream.CachedInfo().Created.UnixNano())
	var stored []schema.Sample
	const messages, per = 40, 30
	for m := range messages {
		samples := make([]schema.Sample, per)
		for i := range samples {
			samples[i] = plain(m*per+i, time.Now().Add(-time.Duration(i%3)*24*time.Hour))
		}
		seq := r.publish(schema.StatsSubject(license), wire.AppendArray(nil, samples))
		for i := range samples {
			if s := samples[i]; i%3 == 1 { // this day's part was committed
				s.License, s.Epoch, s.Seq, s.Idx, s.ReceivedAt = license, epoch, seq, uint16(i), time.Now().UnixMilli()
				stored = append(stored, s)
			}
		}
	}
	schematest.InsertSamples(t, r.ch, stored)
	r.start()
	r.waitAcked(20 * time.Second)
	r.waitStored(license, messages*per, 30*time.Second)
	if skipped := r.metric("corrosion_ingest_samples_skipped_total"); skipped != float64(len(stored)) {
		t.Errorf("%v skipped, want %d", skipped, len(stored))
	}
	var wrong uint64
	err = r.query(`SELECT countIf(map != 'map-' || toString(players % 3) OR metrics['n'] != players
		OR metrics['m' || toString(players % 2)] != players OR length(metrics) != 2 OR idx != players % 30)
		FROM corrosion.samples WHERE license_id = ?`, []any{license}, &wrong)
	if err != nil || wrong != 0 {
		t.Errorf("%d rows hold values of others (%v)", wrong, err)
	}
}

// A stream from before there were partitions keeps what waits in it, also what its old consumer had delivered.
func TestStreamFromBeforePartitions(t *testing.T) {
	n := localtest.NewNATS(t)
	nc, err := nats.Connect(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	old := statsStreams(childConfig("", "").Streams, 1)[0]
	old.SubjectTransform = nil
	stream, err := js.CreateStream(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	licenses := &someLicenses{known: map[uuid.UUID]bool{}}
	license := licenses.add()
	const messages = 50
	for i := range messages {
		s := plain(i, time.Now())
		if _, err := js.Publish(t.Context(), schema.StatsSubject(license), wire.AppendJSON(nil, &s)); err != nil {
			t.Fatal(err)
		}
	}
	consumer, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{
		Durable: "ingest-1ab", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := consumer.Fetch(20); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, rigOptions{nats: n, licenses: licenses})
	s := plain(messages, time.Now())
	r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &s))
	r.waitStored(license, messages+1, 10*time.Second)
	r.waitAcked(30 * time.Second)
	if len(r.letters()) != 0 {
		t.Errorf("%d dead letters", len(r.letters()))
	}
}

// A NATS that lost its newest messages gives their sequences to others, which are stored all the same.
func TestRepeatedSequencesAreStored(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	r.stop()
	stream, err := r.js.Stream(t.Context(), schema.StreamStats)
	if err != nil {
		t.Fatal(err)
	}
	var lost []schema.Sample
	for i := range 10 {
		s := plain(i, time.Now())
		s.License, s.Epoch, s.Seq, s.ReceivedAt = license, uint64(stream.CachedInfo().Created.UnixNano()), uint64(i)+1, s.TS
		lost = append(lost, s)
	}
	schematest.InsertSamples(t, r.ch, lost)
	s := plain(100, time.Now())
	if seq := r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &s)); seq != 1 {
		t.Fatalf("sequence %d", seq)
	}
	r.start()
	r.waitStored(license, 11, 10*time.Second)
	r.waitAcked(30 * time.Second)
	r.stop()
	r.start()
	r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &s))
	r.waitStored(license, 12, 10*time.Second)
	var epochs uint64
	if err := r.query("SELECT uniqExact(epoch) FROM corrosion.samples WHERE license_id = ?", []any{license}, &epochs); err != nil || epochs != 2 {
		t.Errorf("%d epochs (%v), want 2", epochs, err)
	}
}

// Fewer partitions than before: what waits in those that are no more is stored.
func TestFewerPartitions(t *testing.T) {
	r := newRig(t, rigOptions{change: func(c *Config) { c.Partitions.Count = 16 }})
	r.stop()
	var licenses []uuid.UUID
	for range 20 {
		license := r.licenses.add()
		s := plain(1, time.Now())
		r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &s))
		licenses = append(licenses, license)
	}
	r.config.Partitions.Count = 2
	r.start()
	for _, license := range licenses {
		r.waitStored(license, 1, 10*time.Second)
	}
	r.waitAcked(30 * time.Second)
}

// JetStream's partition of a subject is the one that duplicates are looked up by.
func TestPartitionIsJetStreams(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.stop()
	for range 10 {
		license := uuid.New()
		for subject, want := range map[string]string{
			schema.StatsSubject(license):             partitionOf(4, license.String()),
			schema.ServerStatsSubject(license, "eu"): partitionOf(4, license.String(), "eu"),
		} {
			seq := r.publish(subject, []byte("x"))
			name := schema.StreamStats
			if strings.HasSuffix(subject, ".eu") {
				name = schema.StreamStatsByServer
			}
			stream, err := r.js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			m, err := stream.GetMsg(t.Context(), seq)
			if err != nil {
				t.Fatal(err)
			}
			if m.Subject != want+"."+subject || publishedSubject(m.Subject) != subject {
				t.Errorf("stored as %s, want %s.%s", m.Subject, want, subject)
			}
		}
	}
}

// An owner that was stopped between looking at its lease and sending comes too late: ClickHouse refuses.
func TestLateInsertIsRefused(t *testing.T) {
	url := schematest.ClickHouseURL(t)
	license := uuid.New()
	i, b := testInserter(t, url, "none"), licensedBatch(license, 10)
	if err := i.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	i.clock.ms -= (2 * i.timeout).Milliseconds() // as if the INSERT had been on its way for so long
	if err := i.insert(t.Context(), b); err == nil || errors.Is(err, errRefused) || !strings.Contains(err.Error(), "too late") {
		t.Errorf("a late INSERT gives %v", err)
	}
	if n := rowsOf(t, url, license); n != 0 {
		t.Errorf("a late INSERT stored %d rows", n)
	}
	owned := &term{}
	owned.confirm(time.Now().Add(-i.takeover * 9 / 10))
	for r := range b.receipts {
		b.receipts[r].lane = &lane{term: owned}
	}
	if err := i.insert(t.Context(), b); !errors.Is(err, errLapsed) {
		t.Errorf("an INSERT without a confirmed lease gives %v", err)
	}
	owned.confirm(time.Now())
	if err := i.insert(t.Context(), b); err != nil {
		t.Error(err)
	}
	if n := rowsOf(t, url, license); n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
}

// Rows of a lost partition leave the batch with their receipts and letters; the others stay whole.
func TestExpel(t *testing.T) {
	mine, lost := &lane{term: &term{}}, &lane{term: &term{}}
	lost.term.gone.Store(true)
	b, want := newBatch(), newBatch()
	for n := range 60 {
		owner := mine
		if n%3 == 0 {
			owner = lost
		}
		first := b.rows
		for range n % 4 {
			s := testSample(n)
			b.Append(&s)
			if owner == mine {
				want.Append(&s)
			}
		}
		b.owe(receipt{lane: owner, seq: uint64(n), first: first, rows: b.rows - first}, time.Now())
		b.bury(letter{lane: owner})
	}
	if !b.expel() || b.rows != want.rows || len(b.receipts) != 40 || len(b.letters) != 40 || len(b.expelled) != 20 {
		t.Fatalf("%d rows, %d receipts, %d letters, %d expelled", b.rows, len(b.receipts), len(b.letters), len(b.expelled))
	}
	if got := encodedColumns(b); got != encodedColumns(want) {
		t.Errorf("columns are\n%.300s, want\n%.300s", got, encodedColumns(want))
	}
	for _, r := range b.receipts {
		for row := r.first; row < r.first+r.rows; row++ {
			if b.seq[row] != r.seq+1 {
				t.Fatalf("receipt %d has row of %d", r.seq, b.seq[row])
			}
		}
	}
	if b.expel() {
		t.Error("expelled twice")
	}
}

func encodedColumns(b *batch) string {
	return fmt.Sprint(boxedColumns(b)[0], b.seq, b.idx, b.metrics.ends, b.metrics.values, wordsOf(b.metrics.keys), wordsOf(b.server),
		*b.fields[schema.FPS].f64, b.fields[schema.FPS].number.nulls, *b.fields[schema.Players].u32, *b.fields[schema.NetIn].u64, wordsOf(b.fields[schema.Map].text))
}

func wordsOf(w *words) (all []string) {
	for _, key := range w.keys {
		all = append(all, w.dict.Row(int(key)))
	}
	return all
}
