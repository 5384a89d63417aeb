package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// leaseBucket holds one lease a partition. A lease's value is the instance that owns the partition; empty: nobody.
//
// JetStream's own pinned consumers are not used: a pin that times out moves to the next client, but what the lost one
// had pulled stays with it until AckWait is over, and a client cannot ask whether its pin still holds.
const leaseBucket = "corrosion_ingest"

// term is one instance's ownership of one partition, from taking its lease until losing or releasing it.
type term struct {
	partition string
	previous  string    // instance that did not release the lease; empty: none
	revision  uint64    // of the lease, as taken; names the term's consumers
	twins     *twins    // of the samples that came in this term; the pipeline's
	ids       []knownID // stored by earlier owners; the pipeline's

	ctx  context.Context // ends when the lease is lost, or pulling ends
	lose context.CancelFunc
	gone atomic.Bool // the lease is lost: nothing of the term may be stored or acknowledged any more
	sure atomic.Pointer[time.Time]
}

// lost tells whether the lease is lost.
func (t *term) lost() bool { return t.gone.Load() }

// confirm notes that the lease held at a moment, which is when its renewal was sent.
func (t *term) confirm(at time.Time) { t.sure.Store(&at) }

// until is when an INSERT of the term must have begun at the latest: a fifth before a successor may take the lease.
func (t *term) until(takeover time.Duration) time.Time { return t.sure.Load().Add(takeover * 4 / 5) }

// keeper takes the leases of partitions that nobody has, renews them, and has their messages followed.
//
// A lease is renewed by writing it at its last revision. Who wants it and sees the same revision for the whole of
// Takeover, by its own monotonic clock, takes it at that revision: then the last renewal is older than Takeover, its
// owner's INSERTs may not begin any more, and a renewal that comes late is refused.
type keeper struct {
	kv       jetstream.KeyValue
	instance string
	takeover time.Duration
	now      func() time.Time

	owned   map[string]*ownership
	handing map[string]*ownership // given up in favour of another, and not released yet
	others  map[string]sighting
	lost    map[string]time.Time // when a partition was lost: what was sent for it may begin for a while
}

type ownership struct {
	*term
	revision uint64
	settled  chan struct{} // of one that is given up: closes when nothing of it will be inserted any more
}

// sighting is a revision of a lease that is another's, or free, and when it was first seen.
type sighting struct {
	revision uint64
	since    time.Time
}

func newKeeper(instance string, c *Config) *keeper {
	return &keeper{
		instance: instance, takeover: c.Partitions.Takeover, now: time.Now,
		owned: map[string]*ownership{}, handing: map[string]*ownership{}, others: map[string]sighting{}, lost: map[string]time.Time{},
	}
}

// renew writes the leases that are owned, and those that are given up until they are released. One that another has
// taken is lost; what cannot be written stays, unconfirmed.
func (k *keeper) renew(ctx context.Context) error {
	var faults []error
	for _, leases := range []map[string]*ownership{k.owned, k.handing} {
		for name, o := range leases {
			sent := k.now()
			err := k.write(ctx, name, o, []byte(k.instance))
			switch {
			case err == nil:
				o.confirm(sent)
			case errors.Is(err, errLeaseLost):
				k.drop(leases, name)
				k.lost[name] = k.now()
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("renew lease of partition %s: %w", name, err))
			}
		}
	}
	return errors.Join(faults...)
}

// write puts a value into a lease that is ours.
func (k *keeper) write(ctx context.Context, name string, o *ownership, value []byte) error {
	revision, err := k.kv.Update(ctx, name, value, o.revision)
	if isConflict(err) {
		if revision, err = k.revision(ctx, name); err == nil {
			revision, err = k.kv.Update(ctx, name, value, revision)
		}
	}
	if err == nil {
		o.revision = revision
	}
	return err
}

var errLeaseLost = errors.New("another ingester has it")

// revision finds out whether a refused renewal means another owner, or one of ours whose answer was lost.
func (k *keeper) revision(ctx context.Context, name string) (uint64, error) {
	entry, err := k.kv.Get(ctx, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, errLeaseLost // the bucket was emptied: who owns what is decided anew
	}
	if err != nil {
		return 0, err
	}
	if string(entry.Value()) != k.instance {
		return 0, errLeaseLost
	}
	return entry.Revision(), nil
}

// drop ends a term whose lease is lost.
func (k *keeper) drop(of map[string]*ownership, name string) {
	of[name].end()
	delete(of, name)
}

// end makes that nothing more of the term is pulled, stored or acknowledged.
func (t *term) end() {
	t.gone.Store(true)
	t.lose()
}

// handOver gives the partitions up that are more than share. Their leases stay ours until what was sent for them is
// over, which the owner of the pipeline tells by closing settled.
func (k *keeper) handOver(share int) (given []*ownership) {
	names := slices.Sorted(maps.Keys(k.owned))
	for _, name := range names[min(share, len(names)):] {
		o := k.owned[name]
		o.settled = make(chan struct{})
		o.end()
		k.handing[name] = o
		delete(k.owned, name)
		given = append(given, o)
	}
	return given
}

// releaseSettled frees the leases that were given up and of which nothing is on its way any more.
func (k *keeper) releaseSettled(ctx context.Context) error {
	var faults []error
	for name, o := range k.handing {
		select {
		case <-o.settled:
			faults = append(faults, k.free(ctx, k.handing, name))
		default:
		}
	}
	return errors.Join(faults...)
}

// free makes a lease nobody's. What is not written lapses.
func (k *keeper) free(ctx context.Context, of map[string]*ownership, name string) error {
	err := k.write(ctx, name, of[name], nil)
	k.drop(of, name)
	if err != nil && !errors.Is(err, errLeaseLost) {
		return fmt.Errorf("release lease of partition %s: %w", name, err)
	}
	return nil
}

// claim takes the partition if nobody has it, or its owner has been silent for Takeover; with a share that is reached,
// only if nobody else took it for as long. Nil without error: not yet.
func (k *keeper) claim(ctx context.Context, name string, share int) (*term, error) {
	if k.owned[name] != nil || k.handing[name] != nil {
		return nil, nil
	}
	if at, lost := k.lost[name]; lost && k.now().Sub(at) < k.takeover {
		return nil, nil
	}
	entry, err := k.kv.Get(ctx, name)
	sent := k.now()
	content := len(k.owned) >= share
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		if content && k.unchanged(name, 0, sent) < k.takeover {
			return nil, nil
		}
		revision, err := k.kv.Create(ctx, name, []byte(k.instance))
		return k.taken(name, "", revision, sent, err)
	case err != nil:
		return nil, fmt.Errorf("look at lease of partition %s: %w", name, err)
	}
	owner := string(entry.Value())
	if owner == k.instance {
		owner = "" // taken by us, and the answer was lost
	}
	if (owner != "" || content) && k.unchanged(name, entry.Revision(), sent) < k.takeover {
		return nil, nil
	}
	if owner != "" && content && k.unchanged(name, entry.Revision(), sent) < 2*k.takeover {
		return nil, nil // who has fewer comes first
	}
	revision, err := k.kv.Update(ctx, name, []byte(k.instance), entry.Revision())
	return k.taken(name, owner, revision, sent, err)
}

// unchanged is for how long a lease has been seen at a revision.
func (k *keeper) unchanged(name string, revision uint64, now time.Time) time.Duration {
	seen, known := k.others[name]
	if !known || seen.revision != revision {
		k.others[name] = sighting{revision, now}
		return 0
	}
	return now.Sub(seen.since)
}

// taken makes the term of a lease that was just written. A conflict is another's success.
func (k *keeper) taken(name, previous string, revision uint64, sent time.Time, err error) (*term, error) {
	delete(k.others, name)
	if isConflict(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take lease of partition %s: %w", name, err)
	}
	t := &term{partition: name, previous: previous, revision: revision, twins: newTwins()}
	t.confirm(sent)
	k.owned[name] = &ownership{term: t, revision: revision}
	return t, nil
}

// release gives up everything, so that others need not wait. Nothing may be on its way any more.
func (k *keeper) release(ctx context.Context) error {
	var faults []error
	for _, leases := range []map[string]*ownership{k.owned, k.handing} {
		for name := range leases {
			faults = append(faults, k.free(ctx, leases, name))
		}
	}
	return errors.Join(faults...)
}

// isConflict tells whether a lease was not at the revision that was expected.
func isConflict(err error) bool {
	var refused *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) ||
		errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}
