package ingest

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
)

// A stream that fills up, and samples that wait too long, are told before publishers are refused, and the end of it too.
func TestBacklogAlarm(t *testing.T) {
	conn, err := nats.Connect(localtest.NATSURL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	const name = "BACKLOG_TEST"
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{"backlog.test"}, MaxBytes: 100_000, Discard: jetstream.DiscardNew})
	if err != nil {
		t.Fatal(err)
	}
	defer js.DeleteStream(t.Context(), name) //nolint:errcheck // the server goes with the tests
	config := DefaultConfig()
	later := time.Duration(0)
	status := newStatus(&config, func() time.Time { return time.Now().Add(later) })
	watch := &backlogWatch{js: js, streams: []string{name}, status: status, log: slog.New(slog.DiscardHandler)}
	f := func(wants ...string) {
		t.Helper()
		watch.lookOnce(t.Context())
		reasons := status.health().Reasons
		if len(reasons) != len(wants) {
			t.Fatalf("got %q, want %q", reasons, wants)
		}
		for i, want := range wants {
			if !strings.Contains(reasons[i], want) {
				t.Errorf("got %q, want %q", reasons[i], want)
			}
		}
	}
	f()
	for range 7 {
		if _, err := js.Publish(t.Context(), "backlog.test", make([]byte, 9_900)); err != nil {
			t.Fatal(err)
		}
	}
	f() // 70 %
	if _, err := js.Publish(t.Context(), "backlog.test", make([]byte, 9_900)); err != nil {
		t.Fatal(err)
	}
	f("80 % full")
	later = config.Alarms.MaxLag + time.Minute
	f("80 % full", "lags")
	if got := status.figures(); got.fill < 0.75 || got.lag < config.Alarms.MaxLag {
		t.Errorf("figures: fill %v, lag %v", got.fill, got.lag)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	f()
}
