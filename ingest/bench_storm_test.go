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

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"corrosion/schema"
	"corrosion/schema/schematest"
	"corrosion/schema/wire"
)

var storming = struct {
	on                                    *bool
	others, quota, times, names, per, msg *int
	phase                                 *time.Duration
	rounds                                *int
}{
	on:     flag.Bool("bench.storm", false, "run TestBenchStorm"),
	others: flag.Int("storm.others", 10_000, "`samples a second` of the other licenses"),
	quota:  flag.Int("storm.quota", 1000, "`samples a second` that the storming license may publish"),
	times:  flag.Int("storm.times", 10, "how many times its quota the license publishes"),
	names:  flag.Int("storm.names", 100_000, "different metric names that it publishes"),
	per:    flag.Int("storm.metrics", 16, "custom metrics a sample of the storm"),
	msg:    flag.Int("storm.samples", 10, "samples a message of the storm"),
	phase:  flag.Duration("storm.phase", 20*time.Second, "how long each phase is measured"),
	rounds: flag.Int("storm.rounds", 3, "how often the phases are repeated; times of all rounds together, medians of the rest"),
}

// stormBurst is how long a storm goes on before its phase is measured as steady: it has used up what was saved by then.
const stormBurst = 8 * time.Second

// stormLicense is the one that storms.
func stormLicense() uuid.UUID { return uuid.UUID{6: 0x40, 8: 0x80, 14: 7, 15: 7} }

// stormLicenses knows every license; one has a quota of samples of its own.
type stormLicenses struct{ quota int64 }

func (l stormLicenses) Standing(_ context.Context, license uuid.UUID) (Standing, error) {
	s := Standing{Known: true}
	if license == stormLicense() && l.quota > 0 {
		s.Quotas.SamplesPerSecond = &l.quota
	}
	return s, nil
}

// TestBenchStorm times samples of licenses that go about their business, without and with another that storms at many times
// its quota with many metric names. In the phase "quota" that license sends what it may, in the phase "burst" the storm
// uses up what was saved, before "storm". In the phase "sent" the storm's messages go to a subject that nobody stores: what
// it costs to send them on the same machine is not the ingester's.
//
//	go test ./ingest -run TestBenchStorm -v -timeout 60m -args -bench.storm
func TestBenchStorm(t *testing.T) {
	if !*storming.on {
		t.Skip("a benchmark: -bench.storm")
	}
	b := newStormBench(t)
	phases := []string{"calm", "sent", "quota", "burst", "storm"}
	found := map[string][]stormFigures{}
	for round := range *storming.rounds {
		for i := range phases {
			phase := phases[(i+3*round)%len(phases)] // not always the same one first
			f := b.phase(t, phase)
			found[phase] = append(found[phase], f)
			fmt.Printf("%d %s; load %s\n", round+1, f.row(phase), loadAverage())
		}
	}
	b.stop()
	var table strings.Builder
	table.WriteString("| phase | others published/s | others stored/s | p50 ms | p99 ms | most ms | storm published/s | storm stored/s | CPU s a second: ingester | NATS | ClickHouse |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	middle := map[string]stormFigures{}
	for _, phase := range phases {
		middle[phase] = medianStorm(found[phase])
		table.WriteString(middle[phase].row(phase) + "\n")
	}
	fmt.Printf("\n%s\n", table.String())
	for _, base := range phases[:3] {
		for _, phase := range phases[3:] {
			a, c := middle[base], middle[phase]
			fmt.Printf("%s against %s: p50 %.2f, p99 %.2f, stored %.3f\n", phase, base, c.p50/a.p50, c.p99/a.p99, c.stored/a.stored)
		}
	}
}

// stormFigures are those of one phase, or of all rounds of it.
type stormFigures struct {
	delays                            []time.Duration
	published, stored, p50, p99, most float64
	stormed, stormStored              float64
	ingester, nats, clickhouse        float64 // CPU seconds a second
}

// time fills in the quantiles of the delays.
func (f *stormFigures) time() {
	slices.Sort(f.delays)
	if len(f.delays) > 0 {
		f.p50, f.p99, f.most = quantile(f.delays, 0.5), quantile(f.delays, 0.99), quantile(f.delays, 1)
	}
}

func (f stormFigures) row(phase string) string {
	return fmt.Sprintf("| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.2f | %.2f | %.2f |",
		phase, f.published, f.stored, f.p50, f.p99, f.most, f.stormed, f.stormStored, f.ingester, f.nats, f.clickhouse)
}

func medianStorm(all []stormFigures) (m stormFigures) {
	of := func(get func(*stormFigures) *float64) {
		*get(&m) = median(all, func(f stormFigures) float64 { return *get(&f) })
	}
	of(func(f *stormFigures) *float64 { return &f.published })
	of(func(f *stormFigures) *float64 { return &f.stored })
	of(func(f *stormFigures) *float64 { return &f.stormed })
	of(func(f *stormFigures) *float64 { return &f.stormStored })
	of(func(f *stormFigures) *float64 { return &f.ingester })
	of(func(f *stormFigures) *float64 { return &f.nats })
	of(func(f *stormFigures) *float64 { return &f.clickhouse })
	for _, f := range all {
		m.delays = append(m.delays, f.delays...)
	}
	m.time()
	return m
}

// stormBench is the servers with an ingester, and the storm's messages.
type stormBench struct {
	*benchServers
	ingester int // PID
	bodies   [][]byte
	stop     func()
	markers  byte
}

func newStormBench(t *testing.T) *stormBench {
	b := &stormBench{benchServers: newBenchServers(t), bodies: stormBodies()}
	publishBacklog(t, b.nats.URL(), benchConfig(job{}), newTraffic(1, 0), 8) // makes the streams
	w := launchWorker(t, job{Do: "serve", NATS: b.nats.URL(), ClickHouse: b.clickhouse.URL(), Quota: int64(*storming.quota), Profile: *benching.profile})
	b.ingester = w.pid
	nc, js := benchJetStream(t, b.nats.URL())
	defer nc.Close()
	if err := untilEmpty(js); err != nil {
		t.Fatal(err)
	}
	b.stop = func() {
		w.stop()
		fmt.Printf("peak memory of the ingester: %d MiB\n", w.result().Peak>>20)
	}
	return b
}

// stormBodies are messages that have every name once.
func stormBodies() (bodies [][]byte) {
	per, samples := *storming.per, *storming.msg
	for name := 0; name < *storming.names; {
		message := make([]schema.Sample, samples)
		for i := range message {
			s := &message[i]
			s.ServerID = "storm-" + strconv.Itoa((len(bodies)*samples+i)%500)
			s.SetUint(schema.Players, uint64(i))
			s.SetFloat(schema.FPS, 59.5)
			for range per {
				s.Metrics = append(s.Metrics, schema.Metric{Name: "player." + strconv.Itoa(name) + ".kills", Value: float64(name)})
				name++
			}
		}
		bodies = append(bodies, untimed(wire.AppendArray(nil, message)))
	}
	return bodies
}

// untimed takes the times out: the samples are of when they are stored.
func untimed(body []byte) []byte { return []byte(strings.ReplaceAll(string(body), `"ts":0,`, "")) }

// phase measures one.
func (b *stormBench) phase(t *testing.T, name string) stormFigures {
	nc, js := benchJetStream(t, b.nats.URL())
	defer nc.Close()
	b.markers++
	f := &fresh{benchServers: b.benchServers, rate: *storming.others, marker: uuid.UUID{6: 0x40, 8: 0x80, 14: 9, 15: b.markers}, js: js, boot: strconv.Itoa(int(b.markers))}
	length := *storming.phase
	if name == "burst" {
		length = stormBurst
	}
	ctx, cancel := context.WithTimeout(t.Context(), length+freshWarm)
	defer cancel()
	f.messages = newPrepared(f.boot)
	f.begun = time.Now()
	watching, stopWatching := context.WithCancel(t.Context())
	defer stopWatching()
	var helpers sync.WaitGroup
	helpers.Go(func() { f.watch(watching, t, schematest.Connect(t, b.clickhouse.URL())) })
	stormed := 0
	helpers.Go(func() { stormed = b.storm(ctx, t, name) })
	before, own, rows := b.engines(), processCPU(b.ingester), b.rows(t)
	f.publish(ctx, t)
	seconds := time.Since(f.begun).Seconds()
	after, ownAfter := b.engines(), processCPU(b.ingester)
	f.settle(t, stopWatching)
	helpers.Wait()
	if err := untilEmpty(js); err != nil {
		t.Fatal(err)
	}
	stored := b.rows(t)
	figures := stormFigures{
		published: float64(f.total) / seconds, stored: float64(stored.others-rows.others) / seconds,
		stormed: float64(stormed) / seconds, stormStored: float64(stored.storm-rows.storm) / seconds,
		ingester: (ownAfter - own).Seconds() / seconds,
		nats:     (after.nats - before.nats).Seconds() / seconds, clickhouse: (after.clickhouse - before.clickhouse).Seconds() / seconds,
	}
	figures.delays = f.delays()
	figures.time()
	return figures
}

type stormRows struct{ storm, others uint64 }

func (b *stormBench) rows(t *testing.T) (r stormRows) {
	err := b.conn.QueryRow(t.Context(), "SELECT countIf(license_id = ?), countIf(license_id != ?) FROM corrosion.samples",
		stormLicense(), stormLicense()).Scan(&r.storm, &r.others)
	if err != nil {
		t.Error(err)
	}
	return r
}

// storm publishes at many times the quota until ctx ends, as a plugin in a loop would: without waiting for answers.
func (b *stormBench) storm(ctx context.Context, t *testing.T, phase string) (samples int) {
	if phase == "calm" {
		return 0
	}
	subject := schema.StatsSubject(stormLicense())
	if phase == "sent" {
		subject = "nowhere." + stormLicense().String()
	}
	nc, err := nats.Connect(b.nats.URL())
	if err != nil {
		t.Error(err)
		return 0
	}
	defer nc.Close()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	begun, rate, bodies := time.Now(), float64(*storming.quota**storming.times), b.bodies
	if phase == "quota" {
		rate /= float64(*storming.times)
		bodies = bodies[:max(1, len(bodies)*int(schema.DefaultQuotas().MetricNames)/max(*storming.names, int(schema.DefaultQuotas().MetricNames)))]
	}
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return samples
		case <-tick.C:
		}
		for due := int(time.Since(begun).Seconds() * rate); samples < due && ctx.Err() == nil; n++ {
			if err := nc.Publish(subject, bodies[n%len(bodies)]); err != nil {
				t.Error(err)
				return samples
			}
			samples += *storming.msg
		}
	}
}
