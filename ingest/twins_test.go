package ingest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/wire"
)

func TestTwinSample(t *testing.T) {
	known := newTwins()
	s := testSample(1)
	f := func(want bool, n uint64, boot string, at time.Duration) {
		t.Helper()
		s.ReceivedAt = 1_800_000_000_000 + at.Milliseconds()
		s.SetUint(schema.N, n)
		s.SetText(schema.Boot, boot)
		if got := known.sample(&s, neighbours{}); got != want {
			t.Errorf("n %d of %s after %s: known %v, want %v", n, boot, at, got, want)
		}
	}
	f(false, 1, "a", 0)
	f(true, 1, "a", time.Second)
	f(false, 1, "b", time.Second)
	f(false, 2, "a", 9*time.Minute)
	f(true, 1, "a", 10*time.Minute)
	f(false, 3, "a", 11*time.Minute)
	f(true, 2, "a", 18*time.Minute) // nine minutes on
	f(false, 4, "a", 25*time.Minute)
	f(false, 1, "a", 25*time.Minute)
	s = schema.Sample{ServerID: "x"}
	if first := known.sample(&s, neighbours{}); first || known.sample(&s, neighbours{}) {
		t.Error("samples without n are known")
	}
}

func TestTwinMessage(t *testing.T) {
	known, license := newMessageIDs(), uuid.New()
	at := int64(1_800_000_000_000)
	f := func(want bool, id string, seq uint64, after time.Duration) {
		t.Helper()
		if got := known.message(newMessageID(license, id), identity{1, seq, at + after.Milliseconds()}); got != want {
			t.Errorf("%s in message %d after %s: known %v, want %v", id, seq, after, got, want)
		}
	}
	f(false, "a", 1, 0)
	f(false, "a", 1, 0) // delivered again
	f(true, "a", 2, time.Minute)
	f(true, "a", 3, 2*time.Minute)
	f(false, "a", 4, 2*time.Minute+time.Second)
	if known.message(newMessageID(uuid.New(), "a"), identity{1, 5, at}) {
		t.Error("an id is known to another license")
	}
}

func TestGenerationsAreBounded(t *testing.T) {
	const limit = 1000
	g := newGenerations[int, int](time.Hour, limit)
	for n := range 3 * limit {
		g.put(n, n)
	}
	if len(g.young) > limit || len(g.old) > limit {
		t.Errorf("%d and %d remembered", len(g.young), len(g.old))
	}
}

func TestRangesRemove(t *testing.T) {
	var r ranges
	for seq := range uint64(10) {
		r.add(seq)
	}
	for _, seq := range []uint64{0, 9, 5, 5, 42} {
		r.remove(seq)
	}
	for seq := range uint64(10) {
		if want := seq != 0 && seq != 9 && seq != 5; r.has(seq) != want {
			t.Errorf("%d: %v", seq, r.has(seq))
		}
	}
	if len(r.spans) != 2 {
		t.Errorf("spans %v", r.spans)
	}
}

// What a publisher sends twice is stored once, also when the ingester was started anew in between.
func TestPublisherDuplicates(t *testing.T) {
	r := newRig(t, rigOptions{})
	license, other := r.licenses.add(), r.licenses.add()
	s := samplesOf("a", 3)
	r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &s[0]))
	r.publish(schema.StatsSubject(license), wire.AppendArray(nil, s[:2]))
	r.publish(schema.StatsSubject(other), wire.AppendJSON(nil, &s[0]))
	r.waitAcked(30 * time.Second)
	r.waitStored(license, 2, 30*time.Second)
	r.waitStored(other, 1, 30*time.Second)
	if n := r.metric("corrosion_ingest_duplicates_total"); n != 1 {
		t.Errorf("%v duplicates counted, want 1", n)
	}
	r.stop()
	r.start()
	r.publish(schema.StatsSubject(license), wire.AppendArray(nil, s))
	r.waitAcked(30 * time.Second)
	r.waitStored(license, 3, 30*time.Second)
	if n := r.metric("corrosion_ingest_duplicates_total"); n != 2 {
		t.Errorf("%v duplicates counted since the restart, want 2", n)
	}
}

func TestMessageIDs(t *testing.T) {
	r := newRig(t, rigOptions{})
	license, other := r.licenses.add(), r.licenses.add()
	send := func(license uuid.UUID, n int) {
		s := plain(n, time.Now())
		r.publishID(license, "same", wire.AppendJSON(nil, &s))
	}
	send(license, 1)
	send(license, 2)
	send(other, 3)
	r.waitAcked(30 * time.Second)
	r.waitStored(license, 1, 30*time.Second)
	r.stop()
	r.start()
	send(license, 4)
	r.waitAcked(30 * time.Second)
	r.waitStored(license, 1, 30*time.Second)
	if n := r.metric("corrosion_ingest_duplicates_total"); n != 1 {
		t.Errorf("%v duplicates counted since the restart, want 1", n)
	}
	r.waitStored(other, 1, 30*time.Second)
}

// publishID publishes until JetStream itself does not know the id any more: its window is 100 ms.
func (r *rig) publishID(license uuid.UUID, id string, body []byte) {
	r.t.Helper()
	m := nats.NewMsg(schema.StatsSubject(license))
	m.Header.Set(jetstream.MsgIDHeader, id)
	m.Data = body
	localtest.CheckFor(r.t, 30*time.Second, 50*time.Millisecond, func() error {
		ack, err := r.js.PublishMsg(r.t.Context(), m)
		if err == nil && ack.Duplicate {
			err = errors.New("refused as a duplicate")
		}
		return err
	})
}
