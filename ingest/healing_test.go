package ingest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// lockForHealing holds inserts off as the aggregator does; a negative lease says that healing has just ended.
func lockForHealing(t testing.TB, url string, lease time.Duration) {
	t.Helper()
	err := schematest.Connect(t, url).Exec(t.Context(),
		"INSERT INTO corrosion.healing SELECT 1, ?, now64(6) + toIntervalMicrosecond(?)", uuid.NewString(), lease.Microseconds())
	if err != nil {
		t.Fatal(err)
	}
}

func newMigrated(t testing.TB) string {
	t.Helper()
	ch := localtest.NewClickHouse(t)
	if _, err := schema.MigrateClickHouse(t.Context(), ch.URL()); err != nil {
		t.Fatal(err)
	}
	return ch.URL()
}

// An INSERT that meets a healer is refused without doubt, and goes through under the same token once the lock is over.
func TestInsertWaitsForHealing(t *testing.T) {
	url := newMigrated(t)
	license := uuid.New()
	i, b := testInserter(t, url, "none"), licensedBatch(license, 100)
	lockForHealing(t, url, time.Second)
	if err := i.insert(t.Context(), b); !errors.Is(err, errHealing) || b.attempt.doubtful || b.attempt.changed {
		t.Fatalf("during a lock: %v, %+v", err, b.attempt)
	}
	if n := rowsOf(t, url, license); n != 0 {
		t.Fatalf("%d rows passed a lock", n)
	}
	cut := false // a refusal that came while the block was on its way may be lost with the connection: then there is doubt
	localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error {
		err := i.insert(t.Context(), b)
		if err != nil && !errors.Is(err, errHealing) {
			t.Log(err)
			cut = true
		}
		return err
	})
	if n := rowsOf(t, url, license); n != 100 || b.attempt.renewed != 0 && !cut {
		t.Errorf("%d rows after the lock, want 100; the token was given up %d times", n, b.attempt.renewed)
	}
}

// Replacing a partition makes ClickHouse forget its tokens: what may have been stored before is asked for, not sent
// again.
func TestInsertAgainAfterHealingAsks(t *testing.T) {
	url := newMigrated(t)
	license := uuid.New()
	i, b := testInserter(t, url, "none"), licensedBatch(license, 100)
	if err := i.insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	b.attempt.done = false // as if the answer had been lost
	lockForHealing(t, url, 0)
	if err := i.insert(t.Context(), b); !errors.Is(err, errHealing) || !b.attempt.healed {
		t.Fatalf("a try from before the healing: %v, %+v", err, b.attempt)
	}
	localtest.CheckFor(t, 10*time.Second, 20*time.Millisecond, func() error { return i.insert(t.Context(), b) })
	if n := rowsOf(t, url, license); n != 100 || b.attempt.skipped != 100 {
		t.Errorf("%d rows, want 100; %d skipped, want 100", n, b.attempt.skipped)
	}
}

// What asking for a healer costs an INSERT:
//
//	go test ./ingest -run '^$' -bench Fence -benchtime 200x
func BenchmarkFence(b *testing.B) {
	url := newMigrated(b)
	conn := schematest.Connect(b, url)
	if err := conn.Exec(b.Context(), "CREATE TABLE corrosion.samples_null AS corrosion.samples ENGINE = Null"); err != nil {
		b.Fatal(err)
	}
	for range 5 {
		lockForHealing(b, url, -time.Hour)
	}
	asking := newInsertFence("corrosion.samples_null")
	without := asking
	without.middle = strings.Split(asking.middle, " AND ")[0] + " AND throwIf(0 >= "
	for name, fence := range map[string]insertFence{"with": asking, "without": without} {
		b.Run(name, func(b *testing.B) {
			c := DefaultConfig()
			c.ClickHouseURL, c.Compression = url, "none"
			i, err := newInserter(c, time.Now)
			if err != nil {
				b.Fatal(err)
			}
			defer i.close()
			i.fence = fence
			batch := benchBatch(1000)
			for b.Loop() {
				batch.id, batch.attempt = uuid.NewString(), attempt{asked: true}
				if err := i.insert(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
