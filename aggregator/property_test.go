package aggregator

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"corrosion/schema"
)

// For any arrival order, duplication and split of the same samples, and whatever a rollup lost or has twice, after a pass
// every sample is stored once and the rollups are GROUP BY over samples.
func TestRollupsEqualRows(t *testing.T) {
	w := newWorld(t)
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue { // each is some passes over a real server
		if err := flag.Set("rapid.checks", "12"); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		for _, table := range []string{"samples", "samples_hourly", "metrics_hourly", "license_minutely", "license_hourly", "network_hours"} {
			w.exec("TRUNCATE TABLE corrosion." + table)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		license := uuid.New()
		// Over midnight, so that two days are rebuilt.
		from := yesterdayNoon().Add(11*time.Hour + time.Duration(rng.IntN(90))*time.Minute)
		rows := w.samples(rng, license, from, rapid.IntRange(1, 3).Draw(rt, "servers"), rapid.IntRange(2, 150).Draw(rt, "rows"))
		w.arrive(rt, rng, rows)
		for _, harm := range rapid.SliceOfN(rapid.SampledFrom(harms()), 0, 3).Draw(rt, "harms") {
			w.exec(harm)
		}
		w.whole()
		if n := w.number("SELECT count() FROM corrosion.samples"); n != uint64(len(rows)) {
			rt.Fatalf("%d rows, want %d", n, len(rows))
		}
		if n := w.number("SELECT uniqExact(epoch, seq, idx) FROM corrosion.samples"); n != uint64(len(rows)) {
			rt.Fatalf("%d identities, want %d", n, len(rows))
		}
		if off := w.off(); off != 0 {
			rt.Fatalf("%d hours are off", off)
		}
		if n := w.number("SELECT sum(samples) FROM corrosion.network_hourly"); n != uint64(len(rows)) {
			rt.Fatalf("network_hourly counts %d samples, want %d", n, len(rows))
		}
	})
}

// arrive inserts rows in any order, split anyhow, some twice and some by another message.
func (w *world) arrive(rt *rapid.T, rng *rand.Rand, rows []schema.Sample) {
	all := slices.Clone(rows)
	for range rapid.IntRange(0, 20).Draw(rt, "doubled") {
		all = append(all, rows[rng.IntN(len(rows))])
	}
	for range rapid.IntRange(0, 20).Draw(rt, "repeated") {
		again := rows[rng.IntN(len(rows))]
		again.Seq += 1<<32 + uint64(rng.IntN(1000))
		again.ReceivedAt += 1 + rng.Int64N(60_000)
		all = append(all, again)
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for len(all) > 0 {
		n := min(len(all), 1+rng.IntN(200))
		w.insert(all[:n])
		all = all[n:]
	}
}

// harms are what a killed ClickHouse or a wrong retry do to rollups.
func harms() []string {
	const again = " SETTINGS insert_deduplicate = 0"
	const now = " SETTINGS mutations_sync = 1"
	return []string{
		"TRUNCATE TABLE corrosion.samples_hourly",
		"TRUNCATE TABLE corrosion.metrics_hourly",
		fmt.Sprintf("ALTER TABLE corrosion.samples_hourly DELETE WHERE cityHash64(server_id, hour) %% 2 = 0%s", now),
		fmt.Sprintf("ALTER TABLE corrosion.metrics_hourly DELETE WHERE cityHash64(metric, hour) %% 2 = 0%s", now),
		"INSERT INTO corrosion.samples_hourly SELECT * FROM corrosion.samples_hourly" + again,
		"INSERT INTO corrosion.metrics_hourly SELECT * FROM corrosion.metrics_hourly WHERE cityHash64(server_id) % 2 = 0" + again,
		"TRUNCATE TABLE corrosion.license_hourly",
		fmt.Sprintf("ALTER TABLE corrosion.license_minutely DELETE WHERE cityHash64(minute) %% 2 = 0%s", now),
		"INSERT INTO corrosion.license_hourly SELECT * FROM corrosion.license_hourly" + again,
		"INSERT INTO corrosion.license_minutely SELECT * FROM corrosion.license_minutely WHERE cityHash64(minute) % 3 = 0" + again,
		"OPTIMIZE TABLE corrosion.samples FINAL",
	}
}
