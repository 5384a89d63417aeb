package aggregator

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/connect/stores"
)

// newCluster is a world on two shards, and connections to each.
func newCluster(t *testing.T) (*world, []driver.Conn) {
	t.Helper()
	c := localtest.NewClickHouseCluster(t, 2)
	if _, err := schema.MigrateClickHouse(t.Context(), c.URL()); err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, c.Nodes[0])
	shards, err := stores.Shards(t.Context(), w.conn)
	if err != nil || len(shards) != 2 {
		t.Fatal(shards, err)
	}
	return w, shards
}

// On two shards a pass puts right what either lacks or has twice, removes doubled rows, writes the hours of a network from
// the rows of both, and retention drops on both.
func TestPassOnTwoShards(t *testing.T) {
	w, shards := newCluster(t)
	rng := rand.New(rand.NewPCG(1, 2))
	license, noon := uuid.New(), yesterdayNoon()
	rows := w.samples(rng, license, noon, 8, 200)
	w.insert(rows)
	w.pass()
	if off := w.off(); off != 0 {
		t.Fatalf("%d hours are off from the start", off)
	}
	total := w.number("SELECT sum(samples) FROM corrosion.network_hourly")
	if total != uint64(len(rows)) {
		t.Errorf("network_hourly counts %d of %d samples", total, len(rows))
	}
	f := func(name string, shard int, statement string) {
		t.Helper()
		if err := shards[shard].Exec(t.Context(), statement); err != nil {
			t.Fatal(name, err)
		}
		if w.off() == 0 {
			t.Fatalf("%s: nothing is off", name)
		}
		healed := w.whole()
		if off := w.off(); off != 0 || healed.Healed == 0 {
			t.Errorf("%s: %d hours are off after a pass that healed %d", name, off, healed.Healed)
		}
		if again := w.pass(); again.Healed != 0 {
			t.Errorf("%s: the next pass checked %d and healed %d", name, again.Checked, again.Healed)
		}
	}
	f("emptied", 1, "TRUNCATE TABLE corrosion.samples_hourly")
	f("minutes gone", 0, "ALTER TABLE corrosion.license_minutely DELETE WHERE toMinute(minute) = 7 SETTINGS mutations_sync = 1")
	f("doubled", 1, "INSERT INTO corrosion.metrics_hourly SELECT * FROM corrosion.metrics_hourly SETTINGS insert_deduplicate = 0")
	w.insert(rows[:40])
	if pass := w.pass(); pass.Removed != 40 || w.number("SELECT count() FROM corrosion.samples") != uint64(len(rows)) || w.off() != 0 {
		t.Errorf("40 rows were stored twice; %d removed", pass.Removed)
	}
	w.retainOn(shards, rng)
}

// retainOn stores rows that are too old on both shards, and wants them gone.
func (w *world) retainOn(shards []driver.Conn, rng *rand.Rand) {
	w.t.Helper()
	for _, shard := range shards {
		if err := shard.Exec(w.t.Context(), "SYSTEM STOP TTL MERGES corrosion.samples"); err != nil {
			w.t.Fatal(err)
		}
	}
	old := w.samples(rng, uuid.New(), time.Now().Add(-20*24*time.Hour), 8, 20)
	before := w.number("SELECT count() FROM corrosion.samples")
	w.insert(old)
	report, err := w.Retain(w.t.Context(), func(int64, int64) {})
	if err != nil {
		w.t.Fatal(err)
	}
	if n := w.number("SELECT count() FROM corrosion.samples"); n != before || report.Freed == 0 || report.Tables[len(report.Tables)-1].Rows == 0 {
		w.t.Errorf("%d rows, want %d; %+v", n, before, report)
	}
}
