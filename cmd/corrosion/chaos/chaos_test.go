package chaos

import (
	"bytes"
	"context"
	"slices"
	"strconv"
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

func TestMain(m *testing.M) { localtest.Main(m) }

// stored is what an ingester without fault makes of some messages.
type stored struct {
	samples []schema.Sample
	letters []*nats.Msg
}

// ingestAll decodes messages as the ingester does.
func ingestAll(t *testing.T, l *ledger, count int) stored {
	t.Helper()
	var all stored
	decoder := wire.NewDecoder()
	for seq := range uint64(count) {
		e := l.next()
		license, server, ok := schema.ParseStatsSubject(e.subject)
		if !ok {
			t.Fatalf("subject %q", e.subject)
		}
		bury := func(reason wire.Reason, idx int, body []byte) {
			m := nats.NewMsg(schema.DeadSubject(license))
			m.Data = bytes.Clone(body)
			m.Header.Set(headerReason, string(reason))
			m.Header.Set(headerEpoch, "1")
			m.Header.Set(headerSeq, strconv.Itoa(int(seq)))
			m.Header.Set(headerIdx, strconv.Itoa(idx))
			all.letters = append(all.letters, m)
		}
		id, err := uuid.Parse(license)
		switch {
		case err != nil:
			bury(badSubject, -1, e.body)
		case id == l.stranger():
			bury(unknownLicense, -1, e.body)
		default:
			decoder.Decode(wire.Envelope{License: id, SubjectServer: server, StoredAt: time.Now().UnixMilli(), Epoch: 1, Seq: seq}, e.encoding, e.body,
				func(s *schema.Sample) {
					kept := *s
					kept.Metrics = slices.Clone(s.Metrics)
					all.samples = append(all.samples, kept)
				},
				func(r wire.Reject) { bury(r.Reason, r.Index, r.Bytes) })
		}
		l.confirm(e.number, schema.StreamStats, seq, 1)
	}
	return all
}

// firstCopies leaves out what publishers repeat on purpose, as the ingester is to.
func (s *stored) firstCopies(l *ledger) {
	seen := map[int64]bool{}
	s.samples = slices.DeleteFunc(s.samples, func(one schema.Sample) bool {
		id := int64(one.Metrics[0].Value)
		again := seen[id] && !l.samples[id].numberless
		seen[id] = true
		return again
	})
}

// verified stores everything on real servers and verifies it.
func verified(t *testing.T, l *ledger, all stored) tally {
	t.Helper()
	j, err := openJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer j.close() //nolint:errcheck // test
	ch := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), ch.URL()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: quiet{t}, journal: j, conn: schematest.Connect(t, ch.URL())}
	schematest.InsertSamples(t, w.conn, all.samples)
	nc, err := nats.Connect(localtest.NewNATS(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if w.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	if _, err := w.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: schema.StreamDead, Subjects: []string{schema.SubjectDead}}); err != nil {
		t.Fatal(err)
	}
	for _, letter := range all.letters {
		if _, err := w.js.PublishMsg(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}
	c := DefaultConfig()
	v := newVerifier(&c, w, l)
	for _, verify := range []func(context.Context) error{v.verifySamples, v.verifyLetters, v.verifyRollups} {
		if err := verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return v.tally
}

// quiet keeps the cases that a test makes on purpose out of its log.
type quiet struct{ testing.TB }

func (quiet) Log(...any) {}

const someMessages = 1500

func newStored(t *testing.T) (*ledger, stored) {
	l := newLedger(7, time.Now().UTC().Truncate(time.Second))
	all := ingestAll(t, l, someMessages)
	all.firstCopies(l)
	return l, all
}

// What was published as planned is found to be right: otherwise every run would fail.
func TestFaultlessRunPasses(t *testing.T) {
	l, all := newStored(t)
	got := verified(t, l, all)
	failures := (&Report{Config: DefaultConfig(), tally: got}).Failures()
	if len(failures) > 0 || got.Samples != uint64(len(all.samples)) || got.Rows != got.Samples || got.LettersWanted != uint64(len(all.letters)) {
		t.Errorf("%+v: %v; stored %d samples, %d letters", got, failures, len(all.samples), len(all.letters))
	}
	if got.LettersWanted < 50 || got.RollupHours < 100 {
		t.Errorf("too little to prove anything: %+v", got)
	}
}

// Each kind of fault is found and counted: otherwise a run that passes would prove nothing.
func TestEachFaultIsFound(t *testing.T) {
	l, all := newStored(t)
	all.samples = all.samples[1:]                          // one lost
	all.samples = append(all.samples, all.samples[5:8]...) // three doubled
	all.samples[10].SetFloat(schema.FPS, 1234.5)           // one changed
	numbered := slices.IndexFunc(all.samples[20:], func(s schema.Sample) bool { return s.Has(schema.N) }) + 20
	repeat := all.samples[numbered]
	repeat.Seq = 1 << 40
	all.samples = append(all.samples, repeat) // one stored from two messages
	all.letters = all.letters[1:]             // one letter lost
	all.letters = append(all.letters, all.letters[3])
	all.letters[5].Header.Set(headerReason, "weariness")
	got := verified(t, l, all)
	want := tally{Lost: 1, Doubled: 3, Wrong: 1, Retries: 1, LettersLost: 1, LettersDoubled: 1, LettersWrong: 1}
	if l.samples[int64(repeat.Metrics[0].Value)].repeated {
		want.Retries, want.Repeats = 0, 1
	}
	want.Samples, want.Rows = got.Samples, got.Samples+3
	want.LettersWanted, want.RollupHours, want.MetricHours = got.LettersWanted, got.RollupHours, got.MetricHours
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestSelectFaults(t *testing.T) {
	f := func(words string, want int) {
		t.Helper()
		got, err := selectFaults(words)
		if len(got) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d faults, %v; want %d", words, len(got), err, want)
		}
	}
	f("all", len(allFaults()))
	f("all,-quota", len(allFaults())-1)
	f("nats-cut, nats-kill", 2)
	f("clean,-clean", 0)
	f("earthquake", 0)
}
