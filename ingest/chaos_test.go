package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pause"
	"corrosion/schema/schematest"
	"corrosion/schema/wire"
)

// envRounds is how many faults TestChaos makes.
const envRounds = "CORROSION_CHAOS_ROUNDS"

// generator publishes messages of one to twenty samples over three days and both subjects, each until JetStream
// confirms it; what is published twice for want of an answer has the same server, boot and n.
type generator struct {
	js       jetstream.JetStream
	licenses []uuid.UUID
	samples  int // made, and confirmed when run returns
}

// days spreads samples over partitions of the table.
const days = 3

func (g *generator) sample(license, n int) schema.Sample {
	s := testSample(n)
	s.ServerID = "server-" + strconv.Itoa(n%20)
	s.SetUint(schema.N, uint64(n/20))
	s.SetText(schema.Boot, "boot-"+strconv.Itoa(license))
	s.TS = time.Now().Add(-time.Duration(n/20%days) * 24 * time.Hour).UnixMilli()
	return s
}

func (g *generator) run(ctx context.Context) {
	counts := make([]int, len(g.licenses))
	for message := 0; ctx.Err() == nil; message++ {
		which := message % len(g.licenses)
		size := 1
		if message%5 == 0 {
			size = 20
		}
		samples := make([]schema.Sample, size)
		for i := range samples {
			samples[i] = g.sample(which, counts[which])
			counts[which]++
		}
		subject := schema.StatsSubject(g.licenses[which])
		if size == 1 && which%2 == 1 {
			subject = schema.ServerStatsSubject(g.licenses[which], samples[0].ServerID)
		}
		g.publish(subject, wire.AppendArray(nil, samples))
		g.samples += size
	}
}

// publish repeats until JetStream confirms.
func (g *generator) publish(subject string, body []byte) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := g.js.Publish(ctx, subject, body)
		cancel()
		if err == nil {
			return
		}
		pause.For(context.Background(), 20*time.Millisecond)
	}
}

// chaos is two ingesters, either of which may be killed or stopped, between servers that may be killed.
type chaos struct {
	*testing.T
	nats      *localtest.NATSServer
	ch        *localtest.ClickHouseServer
	ingesters [2]*child
	ingest    int // counts of what was done
	stopped   int
	clicks    int
	broker    int
}

func (c *chaos) start(i int) { c.ingesters[i] = startChild(c.T, c.nats.URL(), c.ch.URL()) }

func (c *chaos) wait(most time.Duration) {
	pause.For(c.Context(), time.Duration(rand.Int64N(int64(most))))
}

// fault kills or stops something under load.
func (c *chaos) fault() {
	i := rand.IntN(2)
	switch rand.IntN(5) {
	case 0:
		c.clicks++
		c.ch.Kill(c.T)
		c.wait(500 * time.Millisecond)
		c.ch.Start(c.T)
	case 1:
		c.broker++
		c.nats.Kill(c.T)
		c.wait(500 * time.Millisecond)
		c.nats.Start(c.T)
	case 2: // the other takes over, then this one wakes
		c.stopped++
		c.ingesters[i].signal(c.T, syscall.SIGSTOP)
		pause.For(c.Context(), 1500*time.Millisecond)
		c.wait(time.Second)
		c.ingesters[i].signal(c.T, syscall.SIGCONT)
	default:
		c.ingest++
		c.ingesters[i].kill(c.T)
		c.start(i)
	}
}

// TestChaos makes faults at random moments under load; afterwards what is stored is what was confirmed.
//
//	CORROSION_CHAOS_ROUNDS=200 go test ./ingest -run TestChaos -v -timeout 60m
func TestChaos(t *testing.T) {
	rounds := 8
	if text := os.Getenv(envRounds); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	c := &chaos{T: t, nats: localtest.NewNATS(t), ch: localtest.NewClickHouse(t)}
	if _, err := schema.MigrateClickHouse(t.Context(), c.ch.URL()); err != nil {
		t.Fatal(err)
	}
	c.start(0)
	c.start(1)
	nc, err := nats.Connect(c.nats.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	g := &generator{js: js, licenses: []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}}
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { g.run(ctx) })
	for range rounds {
		c.wait(2 * time.Second)
		c.fault()
	}
	cancel()
	load.Wait()
	rows, hourly := waitExact(t, schematest.Connect(t, c.ch.URL()), js, g.samples)
	t.Logf("%d samples confirmed, %d rows, %d in the hours; killed ingesters %d, stopped %d, ClickHouse %d, NATS %d",
		g.samples, rows, hourly, c.ingest, c.stopped, c.clicks, c.broker)
}

// waitExact waits until the streams are empty, and then wants each sample once.
func waitExact(t *testing.T, ch driver.Conn, js jetstream.JetStream, want int) (rows, hourly uint64) {
	t.Helper()
	localtest.CheckFor(t, time.Minute, 50*time.Millisecond, func() error {
		for _, name := range []string{schema.StreamStats, schema.StreamStatsByServer} {
			s, err := js.Stream(t.Context(), name)
			if err != nil {
				return err
			}
			if n := s.CachedInfo().State.Msgs; n != 0 {
				return fmt.Errorf("%d messages left in %s", n, name)
			}
		}
		return nil
	})
	var identities, samples uint64
	err := errors.Join(
		ch.QueryRow(t.Context(), "SELECT count(), uniqExact(epoch, seq, idx), uniqExact(license_id, server_id, boot, n) FROM corrosion.samples").Scan(&rows, &identities, &samples),
		ch.QueryRow(t.Context(), "SELECT sum(samples) FROM corrosion.samples_hourly").Scan(&hourly))
	if err != nil {
		t.Fatal(err)
	}
	if rows != uint64(want) || identities != rows || samples != rows {
		t.Errorf("%d rows, %d identities, %d samples; want %d of each", rows, identities, samples, want)
	}
	return rows, hourly
}

// A second ingester takes over what a killed one had pulled, within seconds.
func TestTakeover(t *testing.T) {
	c := &chaos{T: t, nats: localtest.NewNATS(t), ch: localtest.ClickHouse(t)}
	ch := schematest.ClickHouse(t)
	c.start(0)
	nc, err := nats.Connect(c.nats.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, nc: nc, js: js, ch: ch}
	license := uuid.New()
	s := testSample(1)
	s.TS = time.Now().UnixMilli()
	r.publishMany(license, 1, &s)
	r.waitStored(license, 1, 10*time.Second)
	c.start(1)
	var sent uint64 = 1
	for i := range 3 {
		c.ingesters[i%2].signal(t, syscall.SIGSTOP) // what it pulls now stays with it
		r.publishMany(license, 100, &s)
		sent += 100
		begun := time.Now()
		c.ingesters[i%2].kill(t)
		r.waitStored(license, sent, 20*time.Second)
		t.Logf("taken over within %s", time.Since(begun).Round(10*time.Millisecond))
		c.start(i % 2)
	}
}
