package aggregator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/schema/insertgate"
	"corrosion/schema/pause"
)

// liveInsert stores rows as an ingester does: refused while a healer holds inserts off, under an ingester's query_id.
const liveInsert = `INSERT INTO corrosion.samples (license_id, server_id, ts, players, epoch, seq, idx, received_at)
	SELECT toUUID('%[1]s'), concat('live', toString(number %% 3)), toDateTime64('%[2]s', 3, 'UTC') + toIntervalSecond((number * 7) %% 36000), number %% 100,
		9, %[3]d + number, 0, now64(3)
	FROM numbers(%[4]d)
	WHERE throwIf(toUnixTimestamp64Milli(joinGet('corrosion.healing', 'until', toUInt8(1))) >= %[5]d, 'rollups are being healed') = 0`

// insertLive inserts once and tells whether it was held off.
func insertLive(ctx context.Context, w *world, license uuid.UUID, from time.Time, seq, rows int) (heldOff bool, err error) {
	ctx = clickhouse.Context(ctx, clickhouse.WithQueryID("corrosion-ingest-test-"+uuid.NewString()),
		clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": uuid.NewString(), "max_threads": 1}))
	err = w.conn.Exec(ctx, fmt.Sprintf(liveInsert, license, from.Format("2006-01-02 15:04:05"), seq, rows, time.Now().UnixMilli()))
	if err != nil && strings.Contains(err.Error(), "rollups are being healed") {
		return true, nil
	}
	return false, err
}

// While a day is healed again and again, readers never see a hole or a double, and no live row is missing afterwards.
func TestHealingUnderReadersAndWriters(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(5, 6))
	whole, broken, live := uuid.New(), uuid.New(), uuid.New()
	noon := yesterdayNoon()
	w.insert(w.samples(rng, whole, noon, 3, 300))
	w.insert(w.samples(rng, broken, noon, 3, 300))

	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	var rows, held, reads atomic.Int64
	var breaking sync.RWMutex // readers look away while the test itself breaks the rollup
	fail := func(format string, args ...any) { t.Errorf(format, args...); cancel() }
	work.Go(func() { // writes
		for seq := 1; ctx.Err() == nil; seq += 200 {
			for {
				heldOff, err := insertLive(t.Context(), w, live, noon, seq, 200) // the last one is waited for
				if err != nil {
					fail("insert: %v", err)
					return
				}
				if !heldOff {
					break
				}
				held.Add(1)
				if !pause.For(ctx, 5*time.Millisecond) {
					return
				}
			}
			rows.Add(200)
		}
	})
	work.Go(func() { // reads
		for ctx.Err() == nil {
			breaking.RLock()
			var untouched, healed uint64
			err := w.conn.QueryRow(ctx, `SELECT sumIf(samples, license_id = ?), sumIf(samples, license_id = ?) FROM corrosion.samples_hourly`, whole, broken).Scan(&untouched, &healed)
			breaking.RUnlock()
			if err != nil && ctx.Err() == nil {
				fail("read: %v", err)
			}
			if err == nil && (untouched != 900 || healed != 900 && healed != 1800) {
				fail("a reader saw %d of 900 samples of hours that are right, and %d of hours that are 900 or, before the healing, doubled", untouched, healed)
			}
			reads.Add(1)
		}
	})
	for range 4 {
		breaking.Lock()
		w.exec("INSERT INTO corrosion.samples_hourly SELECT * FROM corrosion.samples_hourly WHERE license_id = ? SETTINGS insert_deduplicate = 0", broken)
		breaking.Unlock()
		if f := w.whole(); f.Healed == 0 {
			t.Error("nothing was healed")
		}
	}
	cancel()
	work.Wait()
	t.Logf("%d live rows, %d inserts held off, %d reads", rows.Load(), held.Load(), reads.Load())
	if reads.Load() < 20 {
		t.Errorf("only %d reads", reads.Load())
	}
	stored := w.number("SELECT count() FROM corrosion.samples WHERE license_id = ?", live)
	if n := rows.Load(); stored != uint64(n) || stored == 0 {
		t.Errorf("%d live rows are stored, want %d", stored, n)
	}
	if f := w.whole(); f.Healed > 0 {
		t.Errorf("%d hours were off after the healings", f.Healed)
	}
	if off := w.off(); off != 0 {
		t.Errorf("%d hours are off", off)
	}
}

// An ingester's INSERT that does not end is not waited for beyond the lease, and what a dead healer left is put right.
func TestDeadHealerBlocksNobody(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(7, 8))
	license := uuid.New()
	w.insert(w.samples(rng, license, yesterdayNoon(), 1, 100))
	p := &pass{Aggregator: w.Aggregator, conn: w.conn, log: w.Runner.log, left: map[hourKey]bool{}, gate: &insertgate.Gate{Conns: []driver.Conn{w.conn}, Lease: time.Second}}
	if _, _, err := p.gate.Shut(t.Context()); err != nil { // and never opened
		t.Fatal(err)
	}
	w.exec("SYSTEM STOP MERGES corrosion.samples")
	w.exec("CREATE TABLE corrosion.heal_samples AS corrosion.samples")
	if other := (&insertgate.Gate{Conns: []driver.Conn{w.conn}, Lease: time.Second}); true {
		if _, _, err := other.Shut(t.Context()); !errors.Is(err, insertgate.ErrBusy) {
			t.Errorf("a second healer's lock gives %v while the first is alive", err)
		}
	}
	heldOff, err := insertLive(t.Context(), w, license, yesterdayNoon(), 1<<20, 10)
	if err != nil || !heldOff {
		t.Errorf("an insert during a lock: held off %v, %v", heldOff, err)
	}
	for heldOff { // the lease is a second
		if heldOff, err = insertLive(t.Context(), w, license, yesterdayNoon(), 1<<20, 10); err != nil {
			t.Fatal(err)
		}
		if !pause.For(t.Context(), 20*time.Millisecond) {
			t.Fatal("the lock never lapsed")
		}
	}
	w.exec("TRUNCATE TABLE corrosion.samples_hourly")
	w.whole()
	if off := w.off(); off != 0 {
		t.Errorf("%d hours are off", off)
	}
	w.exec("OPTIMIZE TABLE corrosion.samples FINAL") // refused while merges are stopped
	if n := w.number("SELECT count() FROM system.tables WHERE database = 'corrosion' AND startsWith(name, 'heal_')"); n != 0 {
		t.Errorf("%d staging tables are left", n)
	}
}

// An INSERT that hangs in the midst is ended, so that healing does not wait for its client.
func TestHealingEndsAnInsertThatHangs(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(9, 10))
	w.insert(w.samples(rng, uuid.New(), yesterdayNoon(), 1, 100))
	w.exec("TRUNCATE TABLE corrosion.samples_hourly")
	hanging := clickhouse.Context(t.Context(), clickhouse.WithQueryID("corrosion-ingest-test-hangs"))
	done := make(chan error, 1)
	go func() {
		done <- w.conn.Exec(hanging, "INSERT INTO corrosion.samples (server_id, ts) SELECT 'x', now() FROM numbers(1000) WHERE sleepEachRow(1) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0")
	}()
	for w.number("SELECT count() FROM system.processes WHERE query_id = 'corrosion-ingest-test-hangs'") == 0 {
		if !pause.For(t.Context(), 5*time.Millisecond) {
			t.Fatal("the insert does not begin")
		}
	}
	w.whole()
	if err := <-done; err == nil {
		t.Error("the insert that hung was stored")
	}
	if off := w.off(); off != 0 {
		t.Errorf("%d hours are off", off)
	}
}
