package ingest

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
	"corrosion/schema/pause"
	"corrosion/schema/schematest"
	"corrosion/schema/wire"
)

var freshness = struct {
	rates    *string
	duration *time.Duration
	packed   *bool
}{
	rates:    flag.String("bench.rates", "10000,50000,100000", "`samples a second` that TestBenchFresh publishes, one run each"),
	duration: flag.Duration("bench.duration", 2*time.Minute, "how long TestBenchFresh publishes at each rate"),
	packed:   flag.Bool("bench.zstd", false, "TestBenchFresh compresses its messages with zstd"),
}

const (
	// freshWarm is left out of the figures.
	freshWarm = 3 * time.Second
	// pace is how often due messages are published, markEvery how often one whose way is timed, lookEvery how long the
	// watcher waits between two looks at the table: its times are up to that too long, and looking more often would take
	// ClickHouse from the INSERTs.
	pace      = 2 * time.Millisecond
	markEvery = 20 * time.Millisecond
	lookEvery = 40 * time.Millisecond
)

// TestBenchFresh publishes at fixed rates, in messages of 10 to 100 samples, and times single samples among them from
// before their publishing until a query finds them.
//
//	go test ./ingest -run TestBenchFresh -v -timeout 60m -args -bench.fresh
func TestBenchFresh(t *testing.T) {
	if !*benching.fresh {
		t.Skip("a benchmark: -bench.fresh")
	}
	var table strings.Builder
	table.WriteString("| samples/s wanted | published/s | p50 ms | p99 ms | most ms | marks | backlog before | after | most | growth/s | CPU s a million | of NATS | of ClickHouse | load |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, text := range strings.Split(*freshness.rates, ",") {
		rate, err := strconv.Atoi(text)
		if err != nil || rate <= 0 {
			t.Fatalf("-bench.rates: %q is no rate", text)
		}
		f := &fresh{benchServers: newBenchServers(t), rate: rate, marker: uuid.UUID{6: 0x40, 8: 0x80, 15: 99}}
		if *freshness.packed {
			if f.packer, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err != nil {
				t.Fatal(err)
			}
		}
		table.WriteString(f.run(t))
		f.clickhouse.Stop(t) // so that its merges do not disturb the next rate
	}
	fmt.Printf("\n%s", table.String())
}

// fresh is one rate.
type fresh struct {
	*benchServers
	rate   int
	marker uuid.UUID // license of the samples that are timed
	boot   string    // part of every boot, so that runs on the same servers are no duplicates of each other
	js     jetstream.JetStream
	// messages are those that are sent at the rate.
	messages *prepared
	packer   *zstd.Encoder // nil: as they are

	mu    sync.Mutex  // covers sent
	sent  []time.Time // of marker n
	delay []time.Duration
	begun time.Time
	total int // samples published
	count int // messages published
	used  engines
	// backlog is the messages in the streams, once a second after the warm-up.
	backlog []float64
}

func (f *fresh) run(t *testing.T) string {
	publishBacklog(t, f.nats.URL(), benchConfig(job{}), newTraffic(1, 0), 8) // makes the streams
	nc, js := benchJetStream(t, f.nats.URL())
	defer nc.Close()
	f.js = js
	stop, result := startWorker(t, job{Do: "serve", NATS: f.nats.URL(), ClickHouse: f.clickhouse.URL()})
	if err := untilEmpty(js); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), *freshness.duration)
	defer cancel()
	f.messages = newPrepared(f.boot)
	f.begun = time.Now()
	watching, stopWatching := context.WithCancel(t.Context())
	defer stopWatching()
	var watchers sync.WaitGroup
	watchers.Go(func() { f.watch(watching, t, schematest.Connect(t, f.clickhouse.URL())) })
	watchers.Go(func() { f.measureBacklog(ctx, t) })
	before := f.engines()
	f.publish(ctx, t)
	seconds := time.Since(f.begun).Seconds()
	f.settle(t, stopWatching)
	watchers.Wait()
	f.used = f.engines().since(before)
	stop()
	return f.row(result(), seconds)
}

// publish sends what is due every pace until ctx ends.
func (f *fresh) publish(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	marks := newTraffic(1, 0)
	for i := range marks.boots {
		marks.boots[i] += f.boot
	}
	var marked time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(marked) >= markEvery {
			marked = now
			f.mark(t, marks)
		}
		for due := int(now.Sub(f.begun).Seconds() * float64(f.rate)); f.total < due && ctx.Err() == nil; f.count++ {
			license, body, samples := f.messages.next(f.count, now)
			f.send(t, license, body)
			f.total += samples
		}
	}
}

func (f *fresh) send(t *testing.T, license uuid.UUID, body []byte) {
	m := &nats.Msg{Subject: schema.StatsSubject(license), Data: body}
	if f.packer != nil {
		m.Header = nats.Header{"Content-Encoding": {"zstd"}}
		m.Data = f.packer.EncodeAll(body, nil)
	}
	if _, err := f.js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
		t.Fatal(err)
	}
}

// mark publishes a sample whose way is timed.
func (f *fresh) mark(t *testing.T, source *traffic) {
	var s schema.Sample
	source.sample(&s, 0, 0)
	now := time.Now()
	s.TS = now.UnixMilli()
	f.mu.Lock()
	s.SetUint(schema.N, uint64(len(f.sent)))
	f.sent = append(f.sent, now)
	f.mu.Unlock()
	f.send(t, f.marker, wire.AppendJSON(nil, &s))
}

// watch looks which marks a query finds. They come by one partition, so they become visible in order.
func (f *fresh) watch(ctx context.Context, t *testing.T, conn driver.Conn) {
	for pause.For(ctx, lookEvery) {
		var visible uint64
		err := conn.QueryRow(ctx, "SELECT count() FROM corrosion.samples WHERE license_id = ? SETTINGS max_threads = 1", f.marker).Scan(&visible)
		now := time.Now()
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("look for marks: %v", err)
			}
			return
		}
		f.mu.Lock()
		for n := len(f.delay); n < int(visible); n++ {
			f.delay = append(f.delay, now.Sub(f.sent[n]))
		}
		f.mu.Unlock()
	}
}

func (f *fresh) measureBacklog(ctx context.Context, t *testing.T) {
	for n := 0; pause.For(ctx, time.Second); n++ {
		waiting, err := streamed(ctx, f.js)
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("look at the backlog: %v", err)
			}
			return
		}
		if time.Since(f.begun) > freshWarm {
			f.backlog = append(f.backlog, float64(waiting))
		}
		if n%10 == 9 {
			fmt.Printf("%d/s: %s, %d messages wait; load %s\n", f.rate, time.Since(f.begun).Round(time.Second), waiting, loadAverage())
		}
	}
}

// settle waits until every mark is visible, for a minute at most.
func (f *fresh) settle(t *testing.T, stopWatching func()) {
	defer stopWatching()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for pause.For(ctx, 10*time.Millisecond) {
		f.mu.Lock()
		done := len(f.delay) == len(f.sent)
		f.mu.Unlock()
		if done {
			return
		}
	}
	t.Errorf("%d of %d marks are visible a minute after the last", len(f.delay), len(f.sent))
}

// row sums a rate up. The backlog's growth is that between the first and the last third of the time.
func (f *fresh) row(m measured, seconds float64) string {
	delays := f.delays()
	if len(delays) == 0 || len(f.backlog) < 3 {
		return fmt.Sprintf("| %d | too short |\n", f.rate)
	}
	each := float64(f.total) / float64(f.count) // samples a message
	third := len(f.backlog) / 3
	before, after := mean(f.backlog[:third])*each, mean(f.backlog[len(f.backlog)-third:])*each
	million := float64(f.total) / 1e6
	return fmt.Sprintf("| %d | %.0f | %.0f | %.0f | %.0f | %d | %.0f | %.0f | %.0f | %+.0f | %.2f | %.2f | %.2f | %s |\n",
		f.rate, float64(f.total)/seconds, quantile(delays, 0.5), quantile(delays, 0.99), quantile(delays, 1), len(delays),
		before, after, slices.Max(f.backlog)*each, (after-before)/(float64(len(f.backlog))*2/3), m.CPU/million,
		f.used.nats.Seconds()/million, f.used.clickhouse.Seconds()/million, loadAverage())
}

// delays are the times of the marks after the warm-up, the least first.
func (f *fresh) delays() (delays []time.Duration) {
	for n, d := range f.delay {
		if f.sent[n].Sub(f.begun) > freshWarm {
			delays = append(delays, d)
		}
	}
	slices.Sort(delays)
	return delays
}

// quantile of sorted times, ms.
func quantile(sorted []time.Duration, q float64) float64 {
	return float64(sorted[int(q*float64(len(sorted)-1))].Microseconds()) / 1000
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
