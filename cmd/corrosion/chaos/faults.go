package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"corrosion/schema"
)

// target is what a fault acts on; two faults at once have two targets.
type target string

const (
	ingesters  target = "ingesters"
	clickhouse target = "clickhouse"
	broker     target = "nats"
	chLink     target = "link to clickhouse"
	natsLink   target = "link to nats"
	pubLink    target = "publishers' link"
	rebuilder  target = "aggregator"
	everything target = "everything"
)

// fault is one kind of harm. strike does it, and returns what makes it good again.
type fault struct {
	kind   string
	target target
	kills  bool
	// clean faults leave nothing in doubt: no process dies in the midst of its work.
	clean  bool
	strike func(d *driver) (heal func())
}

func allFaults() []fault {
	return []fault{
		{"ingester-kill", ingesters, true, false, (*driver).killIngester},
		{"ingester-kill-unacked", everything, true, false, (*driver).killUnacked},
		{"clickhouse-kill", clickhouse, true, false, (*driver).killClickHouse},
		{"nats-kill", broker, true, true, (*driver).killNATS},

		{"ingester-restart", ingesters, false, true, (*driver).restartIngester},
		{"clickhouse-restart", clickhouse, false, true, func(d *driver) func() { d.w.clickhouse.Stop(d.w.t); return d.startClickHouse }},
		{"nats-restart", broker, false, true, func(d *driver) func() { d.w.nats.Stop(d.w.t); return d.startNATS }},
		{"clickhouse-cut", chLink, false, true, func(d *driver) func() { d.w.toClickHouse.Cut(); return d.w.toClickHouse.Heal }},
		{"clickhouse-stall", chLink, false, true, func(d *driver) func() { d.w.toClickHouse.Stall(); return d.w.toClickHouse.Heal }},
		{"clickhouse-slow", chLink, false, true, func(d *driver) func() {
			d.w.toClickHouse.Delay(time.Duration(1+d.rng.IntN(40)) * time.Millisecond)
			return func() { d.w.toClickHouse.Delay(0) }
		}},
		{"nats-cut", natsLink, false, true, func(d *driver) func() { d.w.toNATS.Cut(); return d.w.toNATS.Heal }},
		{"nats-stall", natsLink, false, true, func(d *driver) func() { d.w.toNATS.Stall(); return d.w.toNATS.Heal }},
		{"nats-slow", natsLink, false, true, func(d *driver) func() {
			d.w.toNATS.Delay(time.Duration(1+d.rng.IntN(20)) * time.Millisecond)
			return func() { d.w.toNATS.Delay(0) }
		}},
		{"publisher-cut", pubLink, false, true, func(d *driver) func() { d.w.fromPublishers.Cut(); return d.w.fromPublishers.Heal }},
		{"publisher-stall", pubLink, false, true, func(d *driver) func() { d.w.fromPublishers.Stall(); return d.w.fromPublishers.Heal }},
		{"publisher-slow", pubLink, false, true, (*driver).slowPublishers},
		{"quota", everything, false, true, (*driver).fillQuota},
		{"freeze", ingesters, false, false, (*driver).freeze},
		{"two-ingesters", ingesters, false, false, (*driver).second},
		{"two-ingesters-kill", ingesters, true, false, (*driver).secondKilled},
		{"aggregator-kill", rebuilder, false, true, (*driver).restartAggregator},
		{"recreate-stream", everything, false, true, (*driver).recreate},
	}
}

// selectFaults reads "all", "clean" or kinds with commas between; "-kind" takes one away.
func selectFaults(words string) ([]fault, error) {
	chosen := map[string]bool{}
	all := allFaults()
	for word := range strings.SplitSeq(words, ",") {
		kind, away := strings.CutPrefix(strings.TrimSpace(word), "-")
		known := false
		for _, f := range all {
			if kind == f.kind || kind == "all" || kind == "clean" && f.clean {
				chosen[f.kind], known = !away, true
			}
		}
		if !known {
			return nil, fmt.Errorf("chaos: no fault %q", word)
		}
	}
	selected := slices.DeleteFunc(all, func(f fault) bool { return !chosen[f.kind] })
	if len(selected) == 0 {
		return nil, fmt.Errorf("chaos: %q leaves no fault", words)
	}
	return selected, nil
}

// somebody is a slot whose ingester runs; slot 0 where none does.
func (d *driver) somebody() int {
	if d.w.ingesters[1] != nil && (d.w.ingesters[0] == nil || d.rng.IntN(2) == 0) {
		return 1
	}
	return 0
}

func (d *driver) killIngester() func() {
	slot := d.somebody()
	d.aim(func() { d.killSlot(slot) })
	return func() { d.w.start(slot) }
}

func (d *driver) killSlot(slot int) {
	if d.w.kill(slot) {
		d.killed("ingester")
	}
}

// killUnacked kills an ingester that has stored rows and cannot say so.
func (d *driver) killUnacked() func() {
	slot := d.somebody()
	d.w.toNATS.Cut()
	d.poll(2*time.Second, time.Millisecond, d.w.inserting)
	d.poll(2*time.Second, time.Millisecond, func() bool { return !d.w.inserting() })
	d.killSlot(slot)
	d.w.toNATS.Heal()
	return func() { d.w.start(slot) }
}

func (d *driver) restartIngester() func() {
	slot := d.somebody()
	d.w.stop(slot)
	return func() { d.w.start(slot) }
}

func (d *driver) killClickHouse() func() {
	d.aim(func() { d.w.clickhouse.Kill(d.w.t) })
	d.killed("clickhouse")
	return d.startClickHouse
}

func (d *driver) startClickHouse() { d.w.clickhouse.Start(d.w.t) }

func (d *driver) killNATS() func() {
	d.wait(0, 20*time.Millisecond)
	d.w.nats.Kill(d.w.t)
	d.killed("nats")
	return d.startNATS
}

func (d *driver) startNATS() { d.w.nats.Start(d.w.t) }

// slowPublishers holds messages and confirmations for so long that publishers repeat what JetStream has stored.
func (d *driver) slowPublishers() func() {
	d.w.fromPublishers.Delay(confirmWait/2 + time.Duration(d.rng.IntN(500))*time.Millisecond)
	d.wait(confirmWait, 3*confirmWait)
	return func() { d.w.fromPublishers.Delay(0) }
}

// fillQuota publishes faster while nothing can be stored, until the streams refuse.
func (d *driver) fillQuota() func() {
	d.w.toClickHouse.Cut()
	d.g.boost.Store(5)
	before := d.g.refused.Load()
	d.until(20*time.Second, func() bool { return d.g.refused.Load() > before+20 })
	if d.g.refused.Load() == before {
		d.w.journal.write("note", "the quota was not reached within 20s")
	}
	return func() {
		d.g.boost.Store(1)
		d.w.toClickHouse.Heal()
	}
}

// freeze stops an ingester, mostly for longer than its leases last and JetStream waits for its acks, and most often while
// another takes over.
func (d *driver) freeze() func() {
	frozen := d.somebody()
	p := d.w.ingesters[frozen]
	if p == nil {
		return func() { d.w.start(frozen) }
	}
	other := 1 - frozen
	takeover := d.rng.IntN(4) > 0
	if takeover && d.rng.IntN(2) == 0 {
		d.w.start(other) // there before
		d.wait(200*time.Millisecond, time.Second)
	}
	d.aim(func() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) })
	if takeover {
		d.w.start(other)
	}
	silence := max(d.config.AckWait, d.config.Takeover)
	d.wait(silence/2, silence*5/2)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	return func() {
		if takeover {
			d.wait(0, time.Second)
			d.w.stop(d.somebody())
		}
	}
}

// second lets two ingesters run side by side and stops one of them.
func (d *driver) second() func() {
	d.w.start(0)
	d.w.start(1)
	d.wait(time.Second, d.config.AckWait*2)
	return func() { d.w.stop(d.rng.IntN(slots)) }
}

func (d *driver) secondKilled() func() {
	d.w.start(0)
	d.w.start(1)
	d.wait(time.Second, d.config.AckWait*2)
	slot := d.rng.IntN(slots)
	d.aim(func() { d.killSlot(slot) })
	return func() { d.w.start(1 - slot) }
}

// recreate deletes streams when nothing is in them: what is confirmed and not stored would be lost with them.
func (d *driver) recreate() func() {
	defer d.g.gate.open()
	if !d.until(30*time.Second, func() bool { return d.g.gate.shut() == 0 }) || !d.drain(time.Minute) {
		d.w.find("no quiet moment to delete a stream: %s", d.backlog())
		return func() {}
	}
	d.noteDeliveries()
	names := [][]string{{schema.StreamStats}, {schema.StreamStatsByServer}, {schema.StreamStats, schema.StreamStatsByServer}}[d.rng.IntN(3)]
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, name := range names {
		if err := d.w.js.DeleteStream(ctx, name); err != nil {
			d.w.find("delete stream %s: %v", name, err)
		}
	}
	return func() {
		back := func() bool {
			for _, name := range names {
				if _, err := d.w.stream(name); err != nil {
					return false
				}
			}
			return true
		}
		if !d.until(30*time.Second, back) {
			d.w.find("%s did not come back within 30s", strings.Join(names, " and "))
		}
	}
}
