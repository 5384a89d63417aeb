package ingest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// waitEventsAcked waits until EVENTS is empty.
func (r *rig) waitEventsAcked(within time.Duration) {
	r.t.Helper()
	localtest.CheckFor(r.t, within, 20*time.Millisecond, func() error {
		if n, err := r.waitingIn(schema.StreamEvents); err != nil || n != 0 {
			return fmt.Errorf("%d messages left: %w", n, err)
		}
		return nil
	})
}

// events counts the marks of a license as they stand and as they were written.
func (r *rig) events(license uuid.UUID) (standing, written uint64) {
	r.t.Helper()
	if err := r.query("SELECT count() FROM "+schema.EventsView+" WHERE license_id = ?", []any{license}, &standing); err != nil {
		r.t.Fatal(err)
	}
	if err := r.query("SELECT count() FROM "+schema.EventsTable+" WHERE license_id = ?", []any{license}, &written); err != nil {
		r.t.Fatal(err)
	}
	return standing, written
}

func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

func TestEventsArrive(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	subject := schema.EventsSubject(license)
	before := time.Now().Add(-time.Second)
	r.publish(subject, []byte(`{"kind":"wipe","title":"Wipe","server_id":"eu-1","text":"all of it","data":{"seed": 7},"ts":"2026-11-01T10:00:00.5Z"}`))
	r.publish(subject, zipped("{\"kind\":\"note\",\"title\":\"a\"}\n{\"kind\":\"party\",\"title\":\"b\"}\n{\"kind\":\"deploy\",\"title\":\"c\"}"), "Content-Encoding", "gzip")
	r.publish("corrosion.not-a-license.events", []byte(`{"kind":"note","title":"x"}`))
	stranger := uuid.New()
	r.publish(schema.EventsSubject(stranger), []byte(`{"kind":"note","title":"x"}`))
	r.waitEventsAcked(15 * time.Second)

	if standing, written := r.events(license); standing != 3 || written != 3 {
		t.Errorf("%d marks stand, %d are written, want 3", standing, written)
	}
	var server, title, text, data, source, kind string
	var ts, received time.Time
	if err := r.query("SELECT server_id, ts, kind, title, text, data, source, received_at FROM "+schema.EventsView+" WHERE license_id = ? AND kind = 'wipe'",
		[]any{license}, &server, &ts, &kind, &title, &text, &data, &source, &received); err != nil {
		t.Fatal(err)
	}
	if server != "eu-1" || title != "Wipe" || text != "all of it" || data != `{"seed":7}` || source != "nats" || received.Before(before) ||
		!ts.Equal(time.Date(2026, 11, 1, 10, 0, 0, 5e8, time.UTC)) {
		t.Errorf("stored %q %v %q %q %q %q %v", server, ts, title, text, data, source, received)
	}
	want := map[string]string{schema.DeadSubject(license.String()): "bad-kind", schema.DeadSubject("not-a-license"): "bad-subject", schema.DeadSubject(stranger.String()): "unknown-license"}
	for _, l := range r.letters() {
		if reason := l.Header.Get(schema.DeadReason); want[l.Subject] != reason {
			t.Errorf("letter on %s: %s, want %s", l.Subject, reason, want[l.Subject])
		}
		if l.Subject == schema.DeadSubject(license.String()) && (string(l.Data) != `{"kind":"party","title":"b"}` || l.Header.Get(schema.DeadIdx) != "1" || l.Header.Get(schema.DeadOf) != subject) {
			t.Errorf("letter %q %v", l.Data, l.Header)
		}
		delete(want, l.Subject)
	}
	if len(want) > 0 {
		t.Errorf("no letters of %v", want)
	}
	if got := r.metric("corrosion_ingest_events_stored_total"); got != 3 {
		t.Errorf("%v marks counted", got)
	}
	if got := r.metric("corrosion_ingest_events_rejected_total"); got != 3 {
		t.Errorf("%v rejections counted", got)
	}
}

// A message that is delivered again replaces its marks; a message id that comes again stores nothing.
func TestEventsOnce(t *testing.T) {
	r := newRig(t, rigOptions{})
	license, other := r.licenses.add(), r.licenses.add()
	mark := []byte(`{"kind":"deploy","title":"x"}`)
	for range 2 { // without an id two equal marks are two marks
		r.publish(schema.EventsSubject(license), mark)
	}
	r.waitEventsAcked(15 * time.Second)
	for l, id := range map[uuid.UUID]string{license: "release-7", other: "release-7-other"} {
		first := r.publish(schema.EventsSubject(l), mark, jetstream.MsgIDHeader, id)
		r.waitEventsAcked(15 * time.Second)
		// JetStream itself turns the id away for a moment.
		localtest.CheckFor(t, 15*time.Second, 20*time.Millisecond, func() error {
			if r.publish(schema.EventsSubject(l), mark, jetstream.MsgIDHeader, id) == first {
				return fmt.Errorf("still taken for the same message")
			}
			return nil
		})
		r.waitEventsAcked(15 * time.Second)
	}
	if standing, _ := r.events(license); standing != 3 {
		t.Errorf("%d marks stand, want 2 without an id and 1 with", standing)
	}
	if standing, _ := r.events(other); standing != 1 {
		t.Errorf("%d marks of another license stand, want 1", standing)
	}

	// What is delivered again: the same carrier reads the same message twice.
	r.stop()
	carrier := r.ingester.events
	carrier.store = freshEventStore(t, r)
	defer carrier.store.close()
	e := schema.Event{
		License: license, ID: schema.EventIDFromStream(1, 99, 0), TS: time.Now().UnixMilli(), Kind: schema.Note, Title: "again",
		Source: schema.FromNATS, ReceivedAt: time.Now().UnixMilli(), MessageID: "m", Epoch: 1, Seq: 99, Version: schema.EventCreated,
	}
	for range 3 {
		if err := carrier.keep(t.Context(), &haul{events: []schema.Event{e}}); err != nil {
			t.Fatal(err)
		}
	}
	if standing, _ := r.events(license); standing != 4 {
		t.Errorf("%d marks stand after one was stored three times, want 4", standing)
	}
	gone := e
	gone.Deleted, gone.Version = true, schema.EventDeleted
	insertRow(t, r, &gone)
	if err := carrier.keep(t.Context(), &haul{events: []schema.Event{e}}); err != nil {
		t.Fatal(err)
	}
	if standing, _ := r.events(license); standing != 3 {
		t.Errorf("%d marks stand after one was deleted and delivered again, want 3", standing)
	}
}

func freshEventStore(t *testing.T, r *rig) *eventStore {
	t.Helper()
	l, err := newLink(&r.config)
	if err != nil {
		t.Fatal(err)
	}
	return &eventStore{link: l, timeout: r.config.InsertTimeout}
}

func insertRow(t *testing.T, r *rig, e *schema.Event) {
	t.Helper()
	batch, err := r.ch.PrepareBatch(t.Context(), schema.InsertEvents())
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Append(e.Row()...); err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// Marks wait in JetStream while ClickHouse is away, survive a NATS that is killed, and arrive once.
func TestEventsOutlastFaults(t *testing.T) {
	clickhouse := schematest.ClickHouseURL(t)
	proxy := localtest.NewProxy(t, hostOf(t, clickhouse))
	server := localtest.NewNATS(t)
	r := newRig(t, rigOptions{nats: server, clickhouse: through(t, clickhouse, proxy), query: clickhouse})
	license := r.licenses.add()
	send := func(n int) {
		for i := range n {
			r.publish(schema.EventsSubject(license), fmt.Appendf(nil, `{"kind":"note","title":"%d"}`, i))
		}
	}
	send(5)
	r.waitEventsAcked(15 * time.Second)
	proxy.Cut()
	send(5)
	localtest.CheckFor(t, 15*time.Second, 20*time.Millisecond, func() error {
		if h := r.ingester.Health(); h.OK {
			return fmt.Errorf("healthy without ClickHouse")
		}
		return nil
	})
	server.Kill(t)
	server.Start(t)
	proxy.Heal()
	send(5)
	r.waitEventsAcked(60 * time.Second)
	if standing, _ := r.events(license); standing != 15 {
		t.Errorf("%d marks stand, want 15", standing)
	}
	r.waitHealthy()
}
