package aggregator

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
)

// What is left of an hour whose rows have expired, wholly or in part, stays; history that was brought late is healed.
func TestExpiredHoursStay(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(11, 12))
	expired, partly, late := uuid.New(), uuid.New(), uuid.New()
	old := yesterdayNoon().AddDate(0, 0, -30)
	first := w.samples(rng, partly, old, 2, 100)
	all := append(w.samples(rng, expired, old, 2, 100), first...)
	all = append(all, w.samples(rng, late, old, 2, 100)...)
	for i := range all {
		all[i].ReceivedAt = time.Now().UnixMilli() // or the table would drop them by itself
	}
	w.insert(all)
	w.pass()
	before := w.number("SELECT sum(samples) FROM corrosion.samples_hourly")
	w.exec("ALTER TABLE corrosion.samples DELETE WHERE license_id = ? SETTINGS mutations_sync = 1", expired)
	w.exec("ALTER TABLE corrosion.samples DELETE WHERE license_id = ? AND seq % 2 = 0 SETTINGS mutations_sync = 1", partly)
	w.exec("ALTER TABLE corrosion.samples_hourly DELETE WHERE license_id = ? AND server_id = 's1' SETTINGS mutations_sync = 1", late)
	f := w.whole()
	if n := w.number("SELECT sum(samples) FROM corrosion.samples_hourly"); n != before {
		t.Errorf("the rollup counts %d samples, want the %d of before the rows expired", n, before)
	}
	if f.Healed != 1 || f.Detail["hours_left"] == nil {
		t.Errorf("healed %d hours, want the one of late samples; %v", f.Healed, f.Detail)
	}
	if n := w.number("SELECT sum(samples) FROM corrosion.network_hourly WHERE license_id = ?", partly); n != 200 {
		t.Errorf("network_hourly counts %d samples of the hour that lost rows, want the 200 of before", n)
	}
	w.exec("ALTER TABLE corrosion.samples DROP PARTITION ?", old.Format(time.DateOnly))
	if w.whole(); w.number("SELECT sum(samples) FROM corrosion.samples_hourly") != before {
		t.Error("the rollup lost samples with the partition of raw")
	}
}

// An operator may drop rows that are not due: what the rollup knows of them stays.
func TestDroppedRowsStayInRollups(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(13, 14))
	license := uuid.New()
	noon := yesterdayNoon()
	w.insert(w.samples(rng, license, noon, 2, 200))
	w.pass()
	before := w.number("SELECT sum(samples) FROM corrosion.samples_hourly")
	w.exec("ALTER TABLE corrosion.samples DROP PARTITION ?", noon.Format(time.DateOnly))
	w.insert(w.samples(rng, license, noon.Add(10*time.Minute), 1, 3))
	w.pass()
	if n := w.number("SELECT sum(samples) FROM corrosion.samples_hourly"); n != before+3 {
		t.Errorf("the rollup counts %d samples, want %d", n, before+3)
	}
}
