package aggregator

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

// yesterdayNoon is in the midst of a day whose rows have not expired.
func yesterdayNoon() time.Time {
	return time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)
}

// What the rollups lack, or have twice, is put right by one pass, and the next has nothing to do.
func TestPassHeals(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(1, 2))
	license, other := uuid.New(), uuid.New()
	noon := yesterdayNoon()
	w.insert(w.samples(rng, license, noon, 5, 400))
	w.insert(w.samples(rng, other, noon, 2, 200))
	f := func(name string, breaks ...string) {
		t.Helper()
		for _, statement := range breaks {
			w.exec(statement)
		}
		if len(breaks) > 0 && w.off() == 0 {
			t.Fatalf("%s: nothing is off", name)
		}
		w.insert(w.samples(rng, other, noon, 1, 1)) // the day changed
		if off := w.off(); len(breaks) > 0 && off == 0 {
			t.Fatalf("%s: nothing is off", name)
		}
		healed := w.whole()
		if off := w.off(); off != 0 {
			t.Errorf("%s: %d hours are off after a pass that healed %d", name, off, healed.Healed)
		}
		if len(breaks) > 0 && healed.Healed == 0 {
			t.Errorf("%s: nothing was healed", name)
		}
		if again := w.pass(); again.Healed != 0 {
			t.Errorf("%s: the next pass checked %d and healed %d", name, again.Checked, again.Healed)
		}
	}
	f("whole")
	f("emptied", "TRUNCATE TABLE corrosion.samples_hourly")
	f("one server gone", "ALTER TABLE corrosion.samples_hourly DELETE WHERE server_id = 's1' SETTINGS mutations_sync = 1")
	f("metrics gone", "ALTER TABLE corrosion.metrics_hourly DELETE WHERE metric = 'm1' SETTINGS mutations_sync = 1")
	f("doubled", "INSERT INTO corrosion.samples_hourly SELECT * FROM corrosion.samples_hourly SETTINGS insert_deduplicate = 0")
	f("both", "INSERT INTO corrosion.metrics_hourly SELECT * FROM corrosion.metrics_hourly SETTINGS insert_deduplicate = 0",
		"ALTER TABLE corrosion.samples_hourly DELETE WHERE server_id = 's0' SETTINGS mutations_sync = 1")
	if n := w.number("SELECT count() FROM system.tables WHERE database = 'corrosion' AND startsWith(name, 'heal_')"); n != 0 {
		t.Errorf("%d staging tables are left", n)
	}
}

// Rows that are stored twice under one identity, and samples that two messages brought, are stored once after a pass.
func TestPassRemovesDoubles(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(3, 4))
	license := uuid.New()
	rows := w.samples(rng, license, yesterdayNoon(), 3, 300)
	w.insert(rows)
	w.insert(rows[10:20])
	w.insert(rows[10:12])
	repeats := append([]schema.Sample(nil), rows[100:130]...)
	for i := range repeats {
		repeats[i].Seq += 1 << 32
		repeats[i].ReceivedAt += 1000
	}
	late := repeats[0] // more than ten minutes after the first: another sample
	late.Seq, late.ReceivedAt = 1<<33, late.ReceivedAt+11*60_000
	w.insert(append(repeats, late))
	f := w.pass()
	if f.Removed != 42 {
		t.Errorf("removed %d rows, want 12 doubled and 30 repeated", f.Removed)
	}
	if n := w.number("SELECT count() FROM corrosion.samples"); n != uint64(len(rows))+1 {
		t.Errorf("%d rows, want %d", n, len(rows)+1)
	}
	if n := w.number("SELECT count() FROM corrosion.samples WHERE seq > 4294967296"); n != 1 {
		t.Errorf("%d rows of later messages, want the one that came late", n)
	}
	if n := w.number("SELECT uniqExact(epoch, seq, idx) FROM corrosion.samples"); n != uint64(len(rows))+1 {
		t.Errorf("%d identities, want %d", n, len(rows)+1)
	}
	if off := w.off(); off != 0 {
		t.Errorf("%d hours are off", off)
	}
	if f := w.pass(); f.Removed != 0 || f.Healed != 0 {
		t.Errorf("the next pass removed %d and healed %d", f.Removed, f.Healed)
	}
}
