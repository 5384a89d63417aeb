package simulate

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/ingest/publish"
	"corrosion/schema"
	"corrosion/schema/wire"
)

// statsStream makes a stream for one license, and a publisher to it.
func statsStream(t testing.TB, change func(*publish.Config)) (jetstream.Stream, *publish.Publisher) {
	t.Helper()
	cfg := publish.DefaultConfig(uuid.New())
	change(&cfg)
	nc, err := nats.Connect(localtest.NATSURL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	name := "SIMULATE_" + cfg.License.String()
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: name, Subjects: []string{schema.StatsSubject(cfg.License)}, MaxBytes: 256 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = js.DeleteStream(context.Background(), name) })
	p, err := publish.Open(localtest.NATSURL(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return s, p
}

func TestRunOverNATS(t *testing.T) {
	s, p := statsStream(t, func(c *publish.Config) { c.BatchSamples = 1 })
	o := DefaultOptions()
	o.Publisher, o.Servers, o.Rate, o.Duration = p, 20, 1000, time.Second
	o.Progress = func(r Report) { t.Log(r) }
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Acked < 500 || r.Acked != r.Samples || r.Messages != r.Samples || info.State.Msgs != r.Acked {
		t.Errorf("%v; the stream holds %d messages", r, info.State.Msgs)
	}
	first, err := s.GetMsg(t.Context(), info.State.FirstSeq)
	if err != nil {
		t.Fatal(err)
	}
	checkDecodes(t, first.Data, first.Time)
}

func checkDecodes(t *testing.T, body []byte, stored time.Time) {
	t.Helper()
	env := wire.Envelope{License: uuid.New(), StoredAt: stored.UnixMilli(), Epoch: 1, Seq: 1}
	stats := wire.NewDecoder().Decode(env, "", body, func(s *schema.Sample) { checkSample(t, s) }, func(x wire.Reject) {
		t.Errorf("ingest would refuse %s: %s %s", x.Bytes, x.Reason, x.Detail)
	})
	if stats.Samples == 0 || stats.Rejected > 0 || stats.IgnoredFields > 0 {
		t.Errorf("ingest would read %+v", stats)
	}
}

// Every sample of some days is one that ingest takes, and reading it back gives the same.
func TestIngestTakesEverySample(t *testing.T) {
	decoder := wire.NewDecoder()
	var body, again []byte
	n := newNetwork(t, 11, 20, Every(3*time.Minute))
	err := n.Backfill(t.Context(), monday, monday.Add(8*24*time.Hour), func(s *schema.Sample) error {
		body = wire.AppendJSON(body[:0], s)
		env := wire.Envelope{StoredAt: s.TS, Epoch: 1, Seq: 1}
		stats := decoder.Decode(env, "", body, func(back *schema.Sample) { again = wire.AppendJSON(again[:0], back) }, func(wire.Reject) {})
		if stats.Samples != 1 || stats.IgnoredFields > 0 || !bytes.Equal(body, again) {
			return fmt.Errorf("%+v: sent %s, read %s", stats, body, again)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The whole history of the demo into a real NATS, with the CPU time of this process:
// go test ./ingest/simulate -run '^$' -bench Demo -benchtime 1x
func BenchmarkDemo(b *testing.B) {
	for _, c := range []publish.Compression{publish.Plain, publish.Zstd, publish.Gzip} {
		b.Run(string(c), func(b *testing.B) {
			_, p := statsStream(b, func(cfg *publish.Config) { cfg.Compression = c })
			for b.Loop() {
				before := cpuTime()
				ctx, cancel := context.WithCancel(b.Context())
				save := func(s DemoState) error {
					if len(s.Pending) == 0 {
						cancel()
					}
					return nil
				}
				r, err := Demo(ctx, DemoOptions{Publisher: p, Save: save})
				if err != nil {
					b.Fatal(err)
				}
				counts := p.Counts()
				b.ReportMetric((cpuTime() - before).Seconds(), "cpu-s")
				b.ReportMetric(float64(r.Acked), "samples")
				b.ReportMetric(float64(counts.Bytes)/float64(counts.Sent), "wire-B/sample")
				b.ReportMetric(float64(counts.PlainBytes)/float64(counts.Sent), "plain-B/sample")
				b.ReportMetric(float64(r.Messages), "messages")
			}
		})
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
