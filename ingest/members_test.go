package ingest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

func TestDealt(t *testing.T) {
	for _, c := range []struct {
		limits []int
		count  int
		want   []int
	}{
		{[]int{0}, 5, []int{5}},
		{[]int{0, 0}, 5, []int{3, 2}},
		{[]int{0, 0, 0, 0}, 9, []int{3, 2, 2, 2}},
		{[]int{1, 0}, 5, []int{1, 4}},
		{[]int{1, 1}, 5, []int{1, 1}},
		{[]int{0, 0, 0}, 2, []int{1, 1, 0}},
	} {
		var to []alive
		for _, limit := range c.limits {
			to = append(to, alive{Limit: limit})
		}
		if got := dealt(to, c.count); !slices.Equal(got, c.want) {
			t.Errorf("%d to %v: %v, want %v", c.count, c.limits, got, c.want)
		}
	}
}

func TestMembersForgetTheSilent(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := newMembers("b", &PartitionsConfig{Takeover: 5 * time.Second})
	m.now = func() time.Time { return now }
	f := func(want int) {
		t.Helper()
		if got := m.share(5); got != want {
			t.Errorf("share %d, want %d", got, want)
		}
	}
	f(5)
	m.hear([]byte(`{"instance":"a"}`))
	m.hear([]byte(`{"instance":"b"}`))
	m.hear([]byte(`[1]`))
	f(2)
	now = now.Add(4 * time.Second)
	m.hear([]byte(`{"instance":"c"}`))
	f(2)
	now = now.Add(2 * time.Second)
	f(3) // with c
	m.hear([]byte(`{"instance":"c","gone":true}`))
	f(5)
}

// Partitions are shared among the ingesters that are there, whoever comes and goes, and every sample is stored once.
func TestPartitionsAreShared(t *testing.T) {
	c := &chaos{T: t, nats: localtest.NewNATS(t), ch: localtest.NewClickHouse(t)}
	if _, err := schema.MigrateClickHouse(t.Context(), c.ch.URL()); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(c.nats.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	g := &generator{js: js, licenses: []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}}
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { g.run(ctx) })
	c.start(0)
	c.owned(js, 5)
	c.start(1)
	c.owned(js, 3, 2)
	third := startChild(t, c.nats.URL(), c.ch.URL())
	c.owned(js, 2, 2, 1)
	c.ingesters[0].kill(t)
	c.owned(js, 3, 2)
	third.kill(t)
	c.owned(js, 5)
	c.start(0)
	c.owned(js, 3, 2)
	cancel()
	load.Wait()
	rows, _ := waitExact(t, schematest.Connect(t, c.ch.URL()), js, g.samples)
	t.Logf("%d rows", rows)
}

// owned waits until the ingesters own so many partitions each.
func (c *chaos) owned(js jetstream.JetStream, want ...int) {
	c.Helper()
	begun := time.Now()
	localtest.CheckFor(c, 20*time.Second, 20*time.Millisecond, func() error {
		kv, err := js.KeyValue(c.Context(), leaseBucket)
		if err != nil {
			return err
		}
		by := map[string]int{}
		for _, name := range partitionNames(4) {
			entry, err := kv.Get(c.Context(), name)
			if err != nil {
				return err
			}
			by[string(entry.Value())]++
		}
		var got []int
		for owner, n := range by {
			if owner != "" {
				got = append(got, n)
			}
		}
		slices.Sort(got)
		slices.Reverse(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("owned %v, want %v", got, want)
		}
		return nil
	})
	c.Logf("%v after %s", want, time.Since(begun).Round(10*time.Millisecond))
}
