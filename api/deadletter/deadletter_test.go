package deadletter_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/api/deadletter"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// office is an office over a fresh NATS with the two streams.
func office(t *testing.T) (*deadletter.Office, jetstream.JetStream) {
	t.Helper()
	conn, err := nats.Connect(localtest.NewNATS(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	for name, subject := range map[string]string{schema.StreamDead: schema.SubjectDead, schema.StreamStats: schema.SubjectStats} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	o, err := deadletter.NewOffice(conn)
	if err != nil {
		t.Fatal(err)
	}
	return o, js
}

// bury adds a letter as the ingester would.
func bury(t *testing.T, js jetstream.JetStream, license, reason, body string, headers ...string) uint64 {
	t.Helper()
	m := nats.NewMsg(schema.DeadSubject(license))
	m.Data = []byte(body)
	m.Header.Set(schema.DeadReason, reason)
	m.Header.Set(schema.DeadOf, "corrosion."+license+".stats")
	m.Header.Set(schema.DeadSeq, "7")
	m.Header.Set(schema.DeadIdx, "-1")
	for i := 0; i < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	ack, err := js.PublishMsg(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

func messages(t *testing.T, js jetstream.JetStream, stream string) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func TestListAndShow(t *testing.T) {
	o, js := office(t)
	for i := range 5 {
		bury(t, js, "a", "malformed", fmt.Sprintf("{%d", i))
	}
	bury(t, js, "b", "ts-ahead", "{}")
	f := func(filter deadletter.Filter, limit, want int) {
		t.Helper()
		letters, err := o.List(t.Context(), filter, limit)
		if err != nil || len(letters) != want {
			t.Errorf("%+v: got %d letters, %v; want %d", filter, len(letters), err, want)
		}
	}
	f(deadletter.Filter{}, 100, 6)
	f(deadletter.Filter{}, 4, 4)
	f(deadletter.Filter{License: "a"}, 100, 5)
	f(deadletter.Filter{Reason: "ts-ahead"}, 100, 1)
	f(deadletter.Filter{License: "a", After: 3}, 100, 2)
	f(deadletter.Filter{License: "nobody"}, 100, 0)
	letter, err := o.Show(t.Context(), 2)
	if err != nil || string(letter.Body) != "{1" || letter.License != "a" || letter.Seq != 7 || letter.Idx != -1 {
		t.Errorf("show: got %+v, %v", letter, err)
	}
	if _, err := o.Show(t.Context(), 99); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("an unknown number: got %v", err)
	}
	if _, err := o.List(t.Context(), deadletter.Filter{}, 0); err == nil {
		t.Error("limit 0 was accepted")
	}
}

// A replayed letter is published as it came and leaves the list; one whose bytes were cut stays.
func TestReplay(t *testing.T) {
	o, js := office(t)
	whole := bury(t, js, "a", "unknown-license", "zipped", schema.DeadEncoding, "gzip")
	cut := bury(t, js, "a", "malformed", "half", schema.DeadTruncated, "9000")
	if err := o.Replay(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	stats, err := js.Stream(t.Context(), schema.StreamStats)
	if err != nil {
		t.Fatal(err)
	}
	message, err := stats.GetMsg(t.Context(), 1)
	if err != nil || string(message.Data) != "zipped" || message.Header.Get(schema.DeadEncoding) != "gzip" || message.Subject != "corrosion.a.stats" {
		t.Errorf("replayed: got %+v, %v", message, err)
	}
	if err := o.Replay(t.Context(), cut); err == nil {
		t.Error("a letter whose bytes were cut was replayed")
	}
	if err := o.Replay(t.Context(), whole); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("a second replay: got %v", err)
	}
	if left := messages(t, js, schema.StreamDead); left != 1 {
		t.Errorf("%d letters left, want 1", left)
	}
}

func TestReplayAllAndPurge(t *testing.T) {
	o, js := office(t)
	for range 300 {
		bury(t, js, "a", "unknown-license", "{}")
	}
	for range 20 {
		bury(t, js, "b", "malformed", "{")
	}
	told := 0
	replayed, err := o.ReplayAll(t.Context(), deadletter.Filter{License: "a"}, func(n int) { told = n })
	if err != nil || replayed != 300 || told != 300 {
		t.Errorf("replay all: got %d, told %d, %v; want 300", replayed, told, err)
	}
	if got := messages(t, js, schema.StreamStats); got != 300 {
		t.Errorf("%d messages published, want 300", got)
	}
	purged, err := o.Purge(t.Context(), deadletter.Filter{Reason: "malformed"}, func(int) {})
	if err != nil || purged != 20 {
		t.Errorf("purge: got %d, %v; want 20", purged, err)
	}
	if left := messages(t, js, schema.StreamDead); left != 0 {
		t.Errorf("%d letters left, want 0", left)
	}
}
