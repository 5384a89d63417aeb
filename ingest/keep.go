package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// keep renews leases until letGo, and takes partitions until stop.
func (p *puller) keep() {
	defer close(p.kept)
	trouble := incident{log: p.log, what: "keep partitions", now: time.Now}
	if heard, err := p.members.listen(p.nc); err == nil {
		defer func() { _ = heard.Unsubscribe() }()
	} else {
		trouble.again(err, "next", "partitions are not shared with other ingesters")
	}
	soft := p.soft.Done()
	tick := time.NewTicker(p.config.Partitions.Takeover / 5)
	defer tick.Stop()
	for {
		err := p.round(soft != nil)
		if p.hold.Err() == nil {
			p.status.leasesAway(err)
			if err == nil {
				trouble.over()
			} else {
				trouble.again(err)
			}
		}
		select {
		case <-soft:
			soft = nil
			p.loops.Done()
		case <-p.hold.Done():
			if soft != nil {
				p.loops.Done()
			}
			return
		case <-tick.C:
		}
	}
}

// round renews every lease and, where claiming, takes those that are free.
func (p *puller) round(claiming bool) error {
	if !p.nc.IsConnected() {
		return errNotConnected
	}
	// Not bound to hold: a renewal that is given up half-way would leave its revision unknown to release.
	ctx, cancel := context.WithTimeout(context.Background(), p.config.Partitions.Takeover/2)
	defer cancel()
	if p.keeper == nil || !p.kvGood {
		kv, err := p.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: leaseBucket, Description: "Which ingester owns which partition", History: 1, Replicas: p.config.Streams.Replicas,
		})
		if err != nil {
			return fmt.Errorf("set up leases: %w", err)
		}
		if p.keeper == nil {
			p.keeper = newKeeper(p.instance, &p.config)
		}
		p.keeper.kv = kv
	}
	names := partitionNames(p.config.Partitions.Count)
	share := p.members.share(len(names))
	if claiming {
		p.handOver(share)
	}
	faults := []error{p.keeper.renew(ctx), p.keeper.releaseSettled(ctx)}
	var taken []*term
	for _, name := range names {
		if !claiming {
			break
		}
		t, err := p.keeper.claim(ctx, name, share)
		if t != nil {
			taken = append(taken, t)
		}
		faults = append(faults, err)
	}
	if len(taken) > 0 {
		p.begin(taken)
	}
	err := errors.Join(faults...)
	p.kvGood = err == nil
	if p.kvGood && claiming { // others leave partitions to whoever is able to take them
		return p.members.tell(p.nc, false)
	}
	return err
}

// handOver gives up what is more than this ingester's share, once what it has of it is over.
func (p *puller) handOver(share int) {
	for _, o := range p.keeper.handOver(share) {
		p.log.Info("leave a partition to another ingester", "partition", o.partition)
		p.loops.Go(func() {
			select {
			case p.out <- message{left: o.settled}:
			case <-p.hard.Done():
			}
		})
	}
}

// begin has the messages of the taken partitions followed once their previous owners' INSERTs are over.
func (p *puller) begin(taken []*term) {
	var followers []*follower
	var previous []string
	for _, t := range taken {
		t.ctx, t.lose = context.WithCancel(p.soft)
		if t.previous != "" {
			previous = append(previous, t.previous)
		}
		p.log.Info("took a partition", "partition", t.partition, "from", t.previous)
		for _, stream := range statsStreams(p.config.Streams, p.config.Partitions.Count) {
			f := &follower{puller: p, stream: stream, term: t, name: stream.Name + "/" + t.partition}
			f.trouble = incident{log: p.log, what: "pull from " + f.name, now: time.Now}
			p.status.consumerAway(f.name, errStarting)
			followers = append(followers, f)
		}
	}
	p.loops.Go(func() {
		if !p.inherit(taken, previous, followers) || !p.tell(taken) {
			return
		}
		for _, f := range followers {
			p.loops.Go(f.run)
		}
	})
}

// inherit waits until nobody else's INSERT can change what is stored, and reads what duplicates are known by. False where
// pulling ended first.
func (p *puller) inherit(taken []*term, previous []string, followers []*follower) bool {
	again := backoff{RetryConfig: p.config.Retry}
	trouble := incident{log: p.log, what: "take over partitions", now: time.Now}
	for {
		err := p.ledger.settle(p.soft, previous)
		if err == nil {
			err = p.ledger.twins(p.soft, taken, p.config.Partitions.Count)
		}
		if err == nil {
			err = p.ledger.ids(p.soft, taken)
		}
		if err == nil {
			trouble.over()
			return true
		}
		if p.soft.Err() != nil {
			return false
		}
		for _, f := range followers {
			p.status.consumerAway(f.name, err)
		}
		trouble.again(err)
		if !again.wait(p.soft, err) {
			return false
		}
	}
}

// tell sends word of the taken partitions to who takes their messages. False where pulling ended first.
func (p *puller) tell(taken []*term) bool {
	for _, t := range taken {
		select {
		case p.out <- message{joined: t}:
		case <-p.soft.Done():
			return false
		}
	}
	return true
}

// release stops renewing and gives the leases up.
func (p *puller) release(ctx context.Context) error {
	p.lapse()
	if p.keeper == nil || !p.nc.IsConnected() {
		return nil
	}
	return errors.Join(p.members.tell(p.nc, true), p.keeper.release(ctx))
}

// lapse stops renewing the leases.
func (p *puller) lapse() {
	p.letGo()
	<-p.kept
	p.ledger.close()
}
