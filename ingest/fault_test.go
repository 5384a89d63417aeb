package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
	"corrosion/schema/wire"
)

// load publishes samples, one a message, until stopped, and counts those that JetStream confirmed.
type load struct {
	sent atomic.Uint64 // and confirmed
	stop func() uint64
}

// startLoad publishes some 1,000 samples a second of the license.
func (r *rig) startLoad(license uuid.UUID) *load {
	l := &load{}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			s := testSample(n)
			s.TS = time.Now().UnixMilli()
			r.publishMany(license, 10, &s)
			l.sent.Add(10)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	l.stop = func() uint64 {
		cancel()
		<-done
		return l.sent.Load()
	}
	r.t.Cleanup(func() { l.stop() })
	return l
}

// publishMany publishes the sample count times; the last one is confirmed, and with it those before.
func (r *rig) publishMany(license uuid.UUID, count int, s *schema.Sample) {
	r.t.Helper()
	for range count {
		s.SetUint(schema.N, r.counter.Add(1))
		r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, s))
	}
}

// during runs f in the midst of a load and then wants everything stored once and acknowledged.
func (r *rig) during(f func()) {
	r.t.Helper()
	license := r.licenses.add()
	l := r.startLoad(license)
	r.waitSome(license)
	f()
	sent := l.stop()
	r.waitStored(license, sent, 30*time.Second)
	r.waitAcked(10 * time.Second)
	r.waitHealthy()
	r.t.Logf("%d samples sent", sent)
}

// waitSome waits until the license has rows.
func (r *rig) waitSome(license uuid.UUID) {
	r.t.Helper()
	localtest.CheckFor(r.t, 10*time.Second, 20*time.Millisecond, func() error {
		var n uint64
		if err := r.query("SELECT count() FROM corrosion.samples WHERE license_id = ?", []any{license}, &n); err != nil || n == 0 {
			return errors.Join(fmt.Errorf("%d rows", n), err)
		}
		return nil
	})
}

// waitUnhealthy waits until a reason of Health holds the text.
func (r *rig) waitUnhealthy(text string) {
	r.t.Helper()
	localtest.CheckFor(r.t, 10*time.Second, 20*time.Millisecond, func() error {
		h := r.ingester.Health()
		if all := strings.Join(h.Reasons, "; "); h.OK || !strings.Contains(all, text) {
			return fmt.Errorf("health: %v %q, want %q", h.OK, all, text)
		}
		return nil
	})
}

func TestClickHouseCutOffStoresOnce(t *testing.T) {
	direct := schematest.ClickHouseURL(t)
	proxy := localtest.NewProxy(t, hostOf(t, direct))
	r := newRig(t, rigOptions{clickhouse: through(t, direct, proxy), query: direct})
	r.during(func() {
		for range 5 {
			proxy.Cut()
			r.waitUnhealthy("ClickHouse")
			proxy.Heal()
			r.waitHealthy()
		}
	})
}

func TestClickHouseKilledLosesNothing(t *testing.T) {
	ch := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), ch.URL()); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, rigOptions{clickhouse: ch.URL()})
	license := r.licenses.add()
	l := r.startLoad(license)
	for range 3 {
		r.waitSome(license)
		ch.Kill(t)
		r.waitUnhealthy("ClickHouse")
		if left, err := r.waitingIn(schema.StreamStats); err != nil || left == 0 {
			t.Errorf("%d messages in the stream while ClickHouse is away (%v): acknowledged before stored?", left, err)
		}
		ch.Start(t)
		r.waitHealthy()
	}
	sent := l.stop()
	r.waitStored(license, sent, 30*time.Second)
	r.waitAcked(20 * time.Second)
	t.Logf("%d samples sent", sent)
}

func TestNATSRestartedStoresOnce(t *testing.T) {
	for name, down := range map[string]func(*testing.T, *localtest.NATSServer){
		"stopped": func(t *testing.T, n *localtest.NATSServer) { n.Stop(t) },
		"killed":  func(t *testing.T, n *localtest.NATSServer) { n.Kill(t) },
	} {
		t.Run(name, func(t *testing.T) {
			n := localtest.NewNATS(t)
			r := newRig(t, rigOptions{nats: n, change: func(c *Config) { c.Pull.AckWait = 2 * time.Second }})
			license := r.licenses.add()
			s := testSample(1)
			s.TS = time.Now().UnixMilli()
			var sent uint64
			for range 3 {
				r.publishMany(license, 300, &s)
				sent += 300
				down(t, n)
				r.waitUnhealthy("consumer of STATS/0")
				n.Start(t)
			}
			r.publishMany(license, 10, &s)
			r.waitStored(license, sent+10, 30*time.Second)
			r.waitAcked(20 * time.Second)
			r.waitHealthy()
		})
	}
}

func TestConsumerDeletedIsMadeAnew(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.during(func() {
		s, err := r.js.Stream(t.Context(), schema.StreamStats)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			names := s.ConsumerNames(t.Context())
			for name := range names.Name() {
				if err := s.DeleteConsumer(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error {
				if info, err := s.Info(t.Context()); err != nil || info.State.Consumers != r.config.Partitions.Count+1 {
					return errors.Join(errors.New("no consumer yet"), err)
				}
				return nil
			})
		}
	})
}

func TestLeasesDeletedAreMadeAnew(t *testing.T) {
	r := newRig(t, rigOptions{change: func(c *Config) {
		c.Partitions.Takeover, c.Pull.AckWait = time.Second, 2*time.Second
	}})
	r.during(func() {
		if err := r.js.DeleteKeyValue(t.Context(), leaseBucket); err != nil {
			t.Fatal(err)
		}
		r.waitUnhealthy("partitions cannot be kept")
		r.waitHealthy()
	})
}

func TestStreamMadeAnewIsAnotherEpoch(t *testing.T) {
	r := newRig(t, rigOptions{})
	license := r.licenses.add()
	s := samplesOf("a", 2)
	r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &s[0]))
	r.waitStored(license, 1, 30*time.Second)
	r.waitAcked(30 * time.Second)
	if err := r.js.DeleteStream(t.Context(), schema.StreamStats); err != nil {
		t.Fatal(err)
	}
	localtest.CheckFor(t, 15*time.Second, 50*time.Millisecond, func() error {
		_, err := r.waitingIn(schema.StreamStats)
		return err
	})
	if seq := r.publish(schema.StatsSubject(license), wire.AppendJSON(nil, &s[1])); seq != 1 {
		t.Fatalf("sequence %d in a new stream", seq)
	}
	r.waitStored(license, 2, 10*time.Second)
	var epochs uint64
	if err := r.query("SELECT uniqExact(epoch) FROM corrosion.samples WHERE license_id = ?", []any{license}, &epochs); err != nil || epochs != 2 {
		t.Errorf("%d epochs (%v), want 2", epochs, err)
	}
}

func TestLicensesAwayDelaysTheUnknownOnly(t *testing.T) {
	r := newRig(t, rigOptions{})
	seen, fresh := r.licenses.add(), r.licenses.add()
	s := samplesOf("a", 1)
	body := wire.AppendJSON(nil, &s[0])
	r.publish(schema.StatsSubject(seen), body)
	r.waitStored(seen, 1, 30*time.Second)
	r.licenses.setAway(errors.New("postgres is away"))
	r.publish(schema.StatsSubject(fresh), body)
	r.waitUnhealthy("postgres is away")
	s = samplesOf("b", 1)
	r.publish(schema.StatsSubject(seen), wire.AppendJSON(nil, &s[0]))
	r.waitStored(seen, 2, 30*time.Second)
	var n uint64
	if err := r.query("SELECT count() FROM corrosion.samples WHERE license_id = ?", []any{fresh}, &n); err != nil || n != 0 {
		t.Errorf("%d rows of a license that nobody could look up (%v)", n, err)
	}
	if len(r.letters()) != 0 {
		t.Error("a license that could not be looked up became a dead letter")
	}
	r.licenses.setAway(nil)
	r.waitStored(fresh, 1, 30*time.Second)
	r.waitAcked(30 * time.Second)
	r.waitHealthy()
}

func TestFullStreamRefusesAndDrains(t *testing.T) {
	direct := schematest.ClickHouseURL(t)
	proxy := localtest.NewProxy(t, hostOf(t, direct))
	r := newRig(t, rigOptions{clickhouse: through(t, direct, proxy), query: direct, change: func(c *Config) {
		c.Streams.MaxBytes = 1 << 20
		c.Batch.Rows = 200
	}})
	license := r.licenses.add()
	proxy.Cut()
	s := samplesOf("a", 1)
	var sent uint64
	for {
		s[0].SetUint(schema.N, sent)
		body := wire.AppendJSON(nil, &s[0])
		if _, err := r.js.Publish(t.Context(), schema.StatsSubject(license), body); err != nil {
			break
		}
		if sent++; sent > 100_000 {
			t.Fatal("a full stream took everything")
		}
	}
	if held := r.metric("corrosion_ingest_held_messages"); held > 400 {
		t.Errorf("%v messages held with batches of 200", held)
	}
	proxy.Heal()
	r.waitStored(license, sent, 20*time.Second)
	r.waitAcked(30 * time.Second)
}

func TestStreamsAreBroughtToTheSettings(t *testing.T) {
	r := newRig(t, rigOptions{})
	limits := func() (s jetstream.StreamInfo) {
		stream, err := r.js.Stream(t.Context(), schema.StreamStats)
		if err != nil {
			t.Fatal(err)
		}
		return *stream.CachedInfo()
	}
	before := limits()
	if c := before.Config; c.MaxBytes != 512<<20 || c.Retention != jetstream.WorkQueuePolicy || c.Discard != jetstream.DiscardNew ||
		c.Storage != jetstream.FileStorage || c.Duplicates != 100*time.Millisecond {
		t.Errorf("stream is %+v", c)
	}
	r.stop()
	r.config.Streams.MaxBytes = 64 << 20
	r.start()
	after := limits()
	if after.Config.MaxBytes != 32<<20 {
		t.Errorf("MaxBytes is %d after the settings changed, want half of 64 MiB", after.Config.MaxBytes)
	}
	if !after.Created.Equal(before.Created) {
		t.Error("changing the settings made another epoch")
	}
}

func TestNewRefusesBadURLsWithoutShowingThem(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"NATSURL":       func(c *Config) { c.NATSURL = "nats://user:secret@host:bad port" },
		"ClickHouseURL": func(c *Config) { c.ClickHouseURL = "clickhouse://user:secret@host:bad port" },
	} {
		c := DefaultConfig()
		c.ClickHouseURL = "clickhouse://127.0.0.1:1"
		change(&c)
		_, err := New(c, Deps{Licenses: &someLicenses{}})
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCloseWithoutRun(t *testing.T) {
	c := DefaultConfig()
	c.ClickHouseURL, c.NATSURL = "clickhouse://127.0.0.1:1", "nats://127.0.0.1:1"
	i, err := New(c, Deps{Licenses: &someLicenses{}, Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	if h := i.Health(); h.OK {
		t.Error("healthy before anything is connected")
	}
	for range 2 {
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Run(t.Context()); err == nil {
		t.Error("runs after Close")
	}
}

// A stop while ClickHouse is away hands everything back, so that the next run has it at once, not after AckWait.
func TestStopWhileClickHouseIsAwayHandsBack(t *testing.T) {
	direct := schematest.ClickHouseURL(t)
	proxy := localtest.NewProxy(t, hostOf(t, direct))
	r := newRig(t, rigOptions{clickhouse: through(t, direct, proxy), query: direct, change: func(c *Config) {
		c.StopTimeout = 200 * time.Millisecond
		c.Pull.AckWait = time.Minute
		c.Batch.Rows = 500
	}})
	license := r.licenses.add()
	proxy.Cut()
	s := samplesOf("a", 1)
	r.publishMany(license, 3000, &s[0])
	r.waitUnhealthy("ClickHouse")
	r.stop()
	if left, err := r.waitingIn(schema.StreamStats); err != nil || left != 3000 {
		t.Errorf("%d messages in the stream after the stop (%v), want 3000", left, err)
	}
	proxy.Heal()
	r.start()
	r.waitStored(license, 3000, 20*time.Second)
	r.waitAcked(10 * time.Second)
}
