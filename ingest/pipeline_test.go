package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestPipelineFlushesByAge(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.give(1)
		b.pass(249 * time.Millisecond)
		b.want(0)
		b.pass(time.Millisecond)
		b.want(1, 1)
	})
}

func TestPipelineFlushesBySize(t *testing.T) {
	inBubble(t, func(c *Config) { c.Batch.Rows = 10 }, func(b *bench) {
		b.give(25)
		b.want(20, 10, 10)
		b.pass(time.Second)
		b.want(25, 10, 10, 5)
	})
}

// While one batch is being stored the next one fills; when both are full nothing more is taken.
func TestPipelineHoldsTwoBatches(t *testing.T) {
	inBubble(t, func(c *Config) { c.Batch.Rows = 10 }, func(b *bench) {
		b.give(10) // now the license is known
		b.to.inserts, b.from.acked = nil, nil
		b.to.block.Store(int64(time.Second))
		b.give(50)
		if left := len(b.from.out); left != 30 {
			b.t.Errorf("%d messages not taken, want 30", left)
		}
		b.want(0)
		b.pass(time.Second)
		b.want(10, 10)
		if left := len(b.from.out); left != 20 {
			b.t.Errorf("%d messages not taken, want 20", left)
		}
		b.pass(10 * time.Second)
		b.want(50, 10, 10, 10, 10, 10)
	})
}

// A store that takes long gets older batches, unless waiting and storing together would pass MaxAge.
func TestPipelineAgeGrowsWithLoad(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.give(1) // now the license is known
		b.pass(time.Second)
		for _, c := range []struct{ took, age time.Duration }{
			{50 * time.Millisecond, 250 * time.Millisecond},
			{100 * time.Millisecond, 300 * time.Millisecond},
			{150 * time.Millisecond, 450 * time.Millisecond},
			{200 * time.Millisecond, 450 * time.Millisecond},
			{300 * time.Millisecond, 350 * time.Millisecond},
			{500 * time.Millisecond, 250 * time.Millisecond},
			{10 * time.Second, 250 * time.Millisecond},
		} {
			b.to.block.Store(int64(c.took))
			b.give(1)
			b.pass(time.Minute)
			before := b.to.tries
			b.give(1)
			b.pass(c.age - time.Millisecond)
			if b.to.tries != before {
				b.t.Errorf("an insert had begun %s after one that took %s, want %s", c.age-time.Millisecond, c.took, c.age)
			}
			b.pass(time.Millisecond)
			if b.to.tries != before+1 {
				b.t.Errorf("%d inserts begun %s after one that took %s, want 1", b.to.tries-before, c.age, c.took)
			}
			b.pass(time.Minute)
		}
	})
}

func TestPipelineRetriesAndRenews(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.to.fail.set(errors.New("away"))
		b.give(3)
		b.pass(25 * time.Second)
		b.want(0)
		if h := b.status.health(); h.OK {
			b.t.Error("healthy while the store is away")
		}
		if b.from.renewed != 2*3 {
			b.t.Errorf("renewed %d times, want each of 3 messages every 10 s", b.from.renewed)
		}
		if b.to.tries < 6 || b.to.tries > 20 {
			b.t.Errorf("%d tries in 25 s", b.to.tries)
		}
		b.to.fail.set(nil)
		b.pass(6 * time.Second)
		b.want(3, 3)
		if h := b.status.health(); !h.OK {
			b.t.Errorf("unhealthy after recovery: %v", h.Reasons)
		}
	})
}

func TestPipelineStuckIsUnhealthy(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.to.block.Store(int64(40 * time.Second))
		b.give(1)
		b.pass(30 * time.Second)
		if h := b.status.health(); !h.OK {
			b.t.Errorf("unhealthy too early: %v", h.Reasons)
		}
		b.pass(2 * time.Second)
		if h := b.status.health(); h.OK {
			b.t.Error("healthy though nothing was stored for 32 s")
		}
		b.pass(10 * time.Second)
		if h := b.status.health(); !h.OK {
			b.t.Errorf("unhealthy after it was stored: %v", h.Reasons)
		}
	})
}

func TestPipelineStopStoresWhatWasPulled(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.to.block.Store(int64(time.Second))
		b.give(3)
		begun := time.Now()
		b.stop()
		<-b.ended
		b.want(3, 3)
		if took := time.Since(begun); took != time.Second {
			b.t.Errorf("stopped after %s, want 1s", took)
		}
	})
}

func TestPipelineStopDeadline(t *testing.T) {
	inBubble(t, func(c *Config) { c.Batch.Rows = 2 }, func(b *bench) {
		b.to.block.Store(int64(time.Hour))
		b.give(4)
		begun := time.Now()
		b.stop()
		<-b.ended
		if took := time.Since(begun); took != b.config.StopTimeout {
			b.t.Errorf("stopped after %s, want %s", took, b.config.StopTimeout)
		}
		b.want(0)
		if len(b.from.handedBack) != 4 {
			b.t.Errorf("%d messages handed back, want 4", len(b.from.handedBack))
		}
	})
}

func TestPipelineAbortWaitsForNothing(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.to.block.Store(int64(time.Hour))
		b.give(4)
		begun := time.Now()
		b.stop()
		close(b.abort)
		<-b.ended
		if took := time.Since(begun); took != 0 || len(b.from.handedBack) != 4 {
			b.t.Errorf("stopped after %s with %d handed back, want at once, 4", took, len(b.from.handedBack))
		}
	})
}

// A message is answered only when its letters are buried, too.
func TestPipelineBuriesBeforeAck(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.graves.fail.set(errors.New("no room"))
		b.giveBody(append(append([]byte(`[{"server_id":"a","players":-1},`), b.body...), ']'))
		b.giveBody([]byte(`[{`))
		b.pass(20 * time.Second)
		b.want(0, 1)
		if h := b.status.health(); h.OK {
			b.t.Error("healthy while letters cannot be buried")
		}
		b.graves.fail.set(nil)
		b.pass(6 * time.Second)
		b.want(1, 1)
		if len(b.graves.buried) != 2 || fmt.Sprint(b.from.poisoned) != "[malformed]" {
			b.t.Errorf("%d letters, poisoned %v", len(b.graves.buried), b.from.poisoned)
		}
	})
}

func TestPipelineRedeliveryIsNotStoredAgain(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.give(1)
		b.seq--
		b.give(1) // again while it is held
		b.pass(time.Second)
		b.want(2, 1) // each delivery has its answer
		b.seq--
		b.give(1) // again after it was stored: the ack was lost
		b.want(3, 1)
		b.pass(time.Second)
		b.want(3, 1)
	})
}

func TestPipelineParksUntilLicenseIsKnown(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.who.setAway(errors.New("postgres is away"))
		b.give(maxParked + 10)
		if left := len(b.from.out); left != 10 {
			b.t.Errorf("%d messages not taken, want 10: parking is bounded", left)
		}
		b.pass(time.Minute)
		b.want(0)
		b.who.setAway(nil)
		b.pass(10 * time.Second)
		if len(b.from.acked) != maxParked+10 || len(b.graves.buried) != 0 {
			b.t.Errorf("%d acked, %d letters", len(b.from.acked), len(b.graves.buried))
		}
		// A license that was known stays so while nobody can be asked.
		b.who.setAway(errors.New("postgres is away"))
		b.pass(5 * time.Minute)
		b.give(1)
		b.pass(2 * time.Second)
		if len(b.from.acked) != maxParked+11 {
			b.t.Error("a license known before is not served while Postgres is away")
		}
	})
}

func TestLicenseCacheAsksSeldom(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		for range 100 {
			b.give(10)
			b.pass(100 * time.Millisecond)
		}
		if b.who.asked != 1 {
			b.t.Errorf("asked %d times in 10 s, want once", b.who.asked)
		}
		b.license = uuid.New()
		for range 100 {
			b.give(1)
			b.pass(100 * time.Millisecond)
		}
		if b.who.asked < 5 || b.who.asked > 8 {
			b.t.Errorf("asked %d times in 10 s for an unknown license, want every 2 s", b.who.asked-1)
		}
		if len(b.graves.buried) < 90 {
			b.t.Errorf("%d letters for 100 messages of an unknown license", len(b.graves.buried))
		}
	})
}

func TestBackoff(t *testing.T) {
	b := backoff{RetryConfig: RetryConfig{Min: 100 * time.Millisecond, Max: time.Second}}
	err := errors.New("x")
	for i, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		want *= time.Millisecond
		if got := b.next(err); got > want || got < want*3/4 {
			t.Errorf("wait %d is %s, want %s less a quarter at most", i, got, want)
		}
	}
	for range 100 {
		b.next(err)
	}
	if got := b.next(errRefused); got < 9*time.Second || got > 12*time.Second {
		t.Errorf("wait after a refusal is %s, want 12 s less a quarter at most", got)
	}
	b.reset()
	if got := b.next(err); got > 100*time.Millisecond {
		t.Errorf("wait after reset is %s", got)
	}
}

func TestConfigValidateNamesKeys(t *testing.T) {
	c := DefaultConfig()
	c.ClickHouseURL = "clickhouse://localhost:9000"
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	err := (&Config{}).Validate()
	for _, key := range []string{"ClickHouseURL", "Compression", "Streams.MaxBytes", "Pull.AckWait", "Batch.Rows", "Retry.Min", "InsertTimeout"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
}
