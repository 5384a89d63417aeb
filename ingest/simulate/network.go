package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"corrosion/schema"
)

// wake is how long Live waits at least: at high rates it emits what has come due in bursts.
const wake = 5 * time.Millisecond

// Network is a number of game servers. It is for one goroutine at a time; two of the same seed and schedule say the same.
type Network struct {
	servers []server
	grid    grid
	sample  schema.Sample
}

// NewNetwork makes servers game servers, at least 1, that measure as schedule says. The same seed gives the same servers
// and, at the same moment, the same measurements.
func NewNetwork(seed uint64, servers int, schedule Schedule) (*Network, error) {
	if servers < 1 {
		return nil, fmt.Errorf("%d servers: must be at least 1", servers)
	}
	if err := schedule.Validate(); err != nil {
		return nil, err
	}
	n := &Network{servers: make([]server, servers), grid: newGrid(schedule, servers)}
	for i := range n.servers {
		n.servers[i].profile = newProfile(seed, i)
	}
	return n, nil
}

// ServerIDs are the ids of the servers, in order.
func (n *Network) ServerIDs() []string {
	ids := make([]string, len(n.servers))
	for i := range n.servers {
		ids[i] = n.servers[i].id
	}
	return ids
}

// Due is how many samples [from, to) holds, those of stopped servers included: what Backfill will emit at most.
func (n *Network) Due(from, to time.Time) uint64 {
	var due uint64
	for i := range n.servers {
		due += n.grid.count(i, from.UnixNano(), to.UnixNano())
	}
	return due
}

// Backfill emits every sample of [from, to) in order of time, all servers interleaved. The sample is valid until emit
// returns. It ends with emit's first error, or ctx's.
func (n *Network) Backfill(ctx context.Context, from, to time.Time, emit func(*schema.Sample) error) error {
	return n.run(ctx, from, to, emit, func(time.Time) error { return nil })
}

// Live emits every sample from from on when its moment has come, until ctx ends, which is no error. Before it waits it
// calls idle. Where emit blocks, Live catches up afterwards; no moment is left out.
func (n *Network) Live(ctx context.Context, from time.Time, emit func(*schema.Sample) error, idle func() error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	now := time.Now()
	wait := func(t time.Time) error {
		if !t.After(now) {
			return nil
		}
		if now = time.Now(); !t.After(now) {
			return nil
		}
		if err := idle(); err != nil {
			return err
		}
		timer.Reset(max(t.Sub(now), wake))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			now = time.Now()
			return nil
		}
	}
	err := n.run(ctx, from, time.Unix(0, math.MaxInt64), emit, wait)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// run walks over the moments of [from, to), waiting for each with wait.
func (n *Network) run(ctx context.Context, from, to time.Time, emit func(*schema.Sample) error, wait func(time.Time) error) error {
	var err error
	n.grid.walk(len(n.servers), from.UnixNano(), to.UnixNano(), func(i int, t int64) bool {
		if err = wait(time.Unix(0, t)); err != nil {
			return false
		}
		if i == 0 && ctx.Err() != nil {
			err = context.Cause(ctx)
			return false
		}
		if n.servers[i].measure(t, n.grid, &n.sample) {
			err = emit(&n.sample)
		}
		return err == nil
	})
	return err
}
