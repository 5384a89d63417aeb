package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"corrosion/schema"
	"corrosion/schema/pause"
)

// driver does harm until there was enough of it. It works on the test's own goroutine.
type driver struct {
	config    *Config
	w         *world
	g         *generator
	rng       *rand.Rand
	faults    []fault
	others    []fault // those without kills that have not had their turn
	kills     map[string]int
	struck    map[string]int
	total     int
	delivered map[string]uint64 // by stream, incarnation and consumer
	stored    map[string]uint64 // by stream and incarnation: the last sequence
	ends      time.Time
}

func newDriver(c *Config, w *world, g *generator) (*driver, error) {
	faults, err := selectFaults(c.Faults)
	if err != nil {
		return nil, err
	}
	return &driver{
		config: c, w: w, g: g, rng: rand.New(rand.NewPCG(c.Seed, 0xfa175)), faults: faults,
		kills: map[string]int{}, struck: map[string]int{}, delivered: map[string]uint64{}, stored: map[string]uint64{}, ends: time.Now().Add(c.Duration),
	}, nil
}

// run strikes bag after bag of faults, and lets the streams drain after each.
func (d *driver) run() {
	for !d.over() {
		bag := d.fillBag()
		for len(bag) > 0 && !d.over() {
			bag = d.strike(bag)
			d.watch()
		}
		d.calm()
	}
}

func (d *driver) over() bool {
	killing := false
	for _, f := range d.faults {
		killing = killing || f.kills
	}
	return time.Now().After(d.ends) || killing && d.total >= d.config.Kills || d.w.t.Failed()
}

// fillBag mixes some ten kills with six other faults, which take turns.
func (d *driver) fillBag() []fault {
	var bag []fault
	for _, f := range d.faults {
		copies := map[string]int{"ingester-kill": 3, "ingester-kill-unacked": 1, "clickhouse-kill": 3, "nats-kill": 2, "two-ingesters-kill": 1}[f.kind]
		for range copies {
			bag = append(bag, f)
		}
	}
	for range 6 {
		if len(d.others) == 0 {
			for _, f := range d.faults {
				if !f.kills {
					d.others = append(d.others, f)
				}
			}
			d.rng.Shuffle(len(d.others), func(i, j int) { d.others[i], d.others[j] = d.others[j], d.others[i] })
		}
		if len(d.others) > 0 {
			bag, d.others = append(bag, d.others[0]), d.others[1:]
		}
	}
	d.rng.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
	return bag
}

// strike does the first fault of the bag, at times together with the second.
func (d *driver) strike(bag []fault) (rest []fault) {
	first, rest := bag[0], bag[1:]
	d.wait(100*time.Millisecond, 1200*time.Millisecond)
	heal := d.begin(first)
	if len(rest) > 0 && d.rng.IntN(3) == 0 && first.target != everything && rest[0].target != everything && first.target != rest[0].target {
		d.wait(0, 500*time.Millisecond)
		healSecond := d.begin(rest[0])
		rest = rest[1:]
		if d.rng.IntN(2) == 0 {
			heal, healSecond = healSecond, heal
		}
		d.wait(100*time.Millisecond, time.Second)
		healSecond()
	}
	d.wait(100*time.Millisecond, 1500*time.Millisecond)
	heal()
	return rest
}

func (d *driver) begin(f fault) (heal func()) {
	end := d.w.journal.begin(f.kind)
	d.struck[f.kind]++
	undo := f.strike(d)
	return func() {
		undo()
		end()
	}
}

func (d *driver) killed(what string) {
	d.kills[what]++
	d.total++
	if d.total%20 == 0 {
		d.w.t.Logf("%d kills, %d messages confirmed, %d findings", d.total, d.g.confirmed.Load(), len(d.w.findings))
	}
}

// aim strikes at any moment, or, two times in three, at one at which an INSERT is under way: before its rows have
// come, while they are being stored, or before the ingester has heard of it.
func (d *driver) aim(strike func()) {
	if d.rng.IntN(3) == 0 {
		strike()
		return
	}
	lag := time.Duration(3+d.rng.IntN(25)) * time.Millisecond
	d.w.toClickHouse.Delay(lag)
	defer d.w.toClickHouse.Delay(0)
	d.poll(2*time.Second, time.Millisecond, d.w.inserting)
	d.wait(0, 3*lag)
	strike()
}

// watch sees to it that somebody ingests.
func (d *driver) watch() {
	for slot := range d.w.ingesters {
		d.w.reap(slot)
	}
	if d.w.ingesters[0] == nil && d.w.ingesters[1] == nil {
		d.w.start(0)
	}
	d.w.startAggregator()
	d.noteDeliveries()
}

// drainLimit is how long nothing may move while everything runs before that is a finding.
const drainLimit = 90 * time.Second

// calm waits until the streams are nearly empty, or hold only what came since: on a slow machine much is on its way at any
// time. Everything must recover without help.
func (d *driver) calm() {
	begun := time.Now()
	d.watch()
	end := d.w.journal.begin("calm")
	defer end()
	few := func() bool {
		messages, _, err := d.w.waiting()
		return err == nil && (messages < 200 || d.w.newerThan(begun))
	}
	if !d.until(drainLimit, few) {
		d.w.find("does not recover: %s", d.backlog())
		d.ends = time.Now()
	}
	d.noteDeliveries()
}

// drain waits until the streams are empty.
func (d *driver) drain(limit time.Duration) bool {
	return d.until(limit, func() bool {
		messages, _, err := d.w.waiting()
		return err == nil && messages == 0
	})
}

// backlog says what waits and what the consumers know about it.
func (d *driver) backlog() string {
	messages, bytes, err := d.w.waiting()
	text := []string{fmt.Sprintf("%d messages wait, %d bytes, %v", messages, bytes, err)}
	d.eachConsumer(func(stream *jetstream.StreamInfo, info *jetstream.ConsumerInfo) {
		text = append(text, fmt.Sprintf("%s/%s: %d pending, %d unacked, %d redelivered, %d pulls waiting",
			stream.Config.Name, info.Name, info.NumPending, info.NumAckPending, info.NumRedelivered, info.NumWaiting))
	})
	return strings.Join(text, "; ")
}

// noteDeliveries keeps how many deliveries each consumer has made; a consumer goes with its stream.
func (d *driver) noteDeliveries() {
	d.eachConsumer(func(stream *jetstream.StreamInfo, info *jetstream.ConsumerInfo) {
		key := fmt.Sprint(stream.Config.Name, stream.Created.UnixNano(), info.Name, info.Created.UnixNano())
		d.delivered[key] = max(d.delivered[key], info.Delivered.Consumer)
		key = fmt.Sprint(stream.Config.Name, stream.Created.UnixNano())
		d.stored[key] = max(d.stored[key], stream.State.LastSeq)
	})
}

// redelivered is how many deliveries there were beyond the first, at least: consumers come and go with their owners, and
// a killed NATS may forget some of its count.
func (d *driver) redelivered() int64 {
	var n int64
	for _, deliveries := range d.delivered {
		n += int64(deliveries)
	}
	for _, messages := range d.stored {
		n -= int64(messages)
	}
	return max(n, 0)
}

func (d *driver) eachConsumer(f func(*jetstream.StreamInfo, *jetstream.ConsumerInfo)) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, name := range []string{schema.StreamStats, schema.StreamStatsByServer} {
		stream, err := d.w.js.Stream(ctx, name)
		if err != nil {
			continue
		}
		consumers := stream.ListConsumers(ctx)
		for info := range consumers.Info() {
			f(stream.CachedInfo(), info)
		}
	}
}

// wait lets a random time pass.
func (d *driver) wait(least, most time.Duration) {
	pause.For(d.w.t.Context(), least+time.Duration(d.rng.Int64N(int64(most-least)+1)))
}

// until polls for a condition; false where it did not come within limit.
func (d *driver) until(limit time.Duration, condition func() bool) bool {
	return d.poll(limit, 50*time.Millisecond, condition)
}

func (d *driver) poll(limit, every time.Duration, condition func() bool) bool {
	end := time.Now().Add(limit)
	for time.Now().Before(end) {
		if condition() {
			return true
		}
		if !pause.For(d.w.t.Context(), every) {
			return false
		}
	}
	return false
}
