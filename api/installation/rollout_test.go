package installation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/installation"
	"corrosion/deploy/agent"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/command"
	"corrosion/schema/schematest"
)

// crowd runs the agents of all servers in this process.
func (w *world) crowd() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	w.t.Cleanup(func() { cancel(); running.Wait() })
	for _, server := range w.servers {
		config, err := agentConfig(childAgent{Credentials: w.credentials(server), Dir: w.plugins(server)})
		if err != nil {
			w.t.Fatal(err)
		}
		config.Heartbeat = 10 * time.Second
		a, err := agent.New(config)
		if err != nil {
			w.t.Fatal(err)
		}
		running.Go(func() { _ = a.Run(ctx) })
	}
}

// fps is what a server publishes: half as much where the bad module lies in its plugin directory.
func (w *world) fps(server string) float64 {
	if _, err := os.Stat(filepath.Join(w.plugins(server), "Bad.cs")); err == nil {
		return 29
	}
	return 60
}

// publishStats stores an hour of history and then a sample of each server every half second, until stop.
func (w *world) publishStats() (stats installation.Stats, stop func()) {
	w.t.Helper()
	conn := schematest.ClickHouse(w.t)
	seq := uint64(0)
	sample := func(server string, at time.Time, fps float64) schema.Sample {
		seq++
		s := schema.Sample{License: w.license, ServerID: server, TS: at.UnixMilli(), ReceivedAt: at.UnixMilli(), Epoch: 1, Seq: seq}
		s.SetFloat(schema.FPS, fps)
		return s
	}
	var history []schema.Sample
	for _, server := range w.servers {
		for n := range 30 {
			history = append(history, sample(server, time.Now().Add(-time.Duration(n+1)*2*time.Minute), 60))
		}
	}
	schematest.InsertSamples(w.t, conn, history)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			var now []schema.Sample
			for _, server := range w.servers {
				now = append(now, sample(server, time.Now(), w.fps(server)))
			}
			schematest.InsertSamples(w.t, conn, now)
		}
	}()
	return installation.ClickHouseStats{Conn: conn}, func() { cancel(); <-done }
}

func (w *world) rollout(m *installation.Manager, id uuid.UUID, module string, want installation.RolloutStatus) installation.Rollout {
	w.t.Helper()
	var found installation.Rollout
	localtest.CheckFor(w.t, 2*patience, 100*time.Millisecond, func() (err error) {
		if found, err = m.Rollout(w.t.Context(), w.license, module, id); err != nil {
			return err
		}
		if found.Status != want {
			return fmt.Errorf("it is %s (%s), batch %d, want %s", found.Status, found.Reason, found.Batch, want)
		}
		return nil
	})
	return found
}

// A bad module goes to 200 servers, ten at a time: the guard sees the first ten grow slow, takes it back from them, and the
// others never get it.
func TestBadModuleIsRolledBack(t *testing.T) {
	w := newWorld(t, 200, nil)
	w.m.Close() // one that has stats does the work
	stats, stop := w.publishStats()
	defer stop()
	w.m = w.platform(stats)
	w.publish("bad", "1.0.0", "slow")
	w.crowd()
	begun, err := w.m.StartRollout(t.Context(), installation.RolloutAsk{
		License: w.license, Module: "bad", Servers: w.servers, BatchSize: 10, Pause: 3 * time.Second, MaxFailures: 1,
		Guard: &installation.Guard{DropPercent: 20, BaselineS: 3600, MinSamples: 20}, By: installation.By{Actor: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := w.rollout(w.m, begun.ID, "bad", installation.RolledBack)
	if !strings.Contains(ended.Reason, "fps") {
		t.Errorf("the reason is %q", ended.Reason)
	}
	got := 0
	for _, s := range ended.Servers {
		if s.Installation != nil {
			got++
			if s.Status != installation.Uninstalled && s.Status != installation.Cancelled {
				t.Errorf("%s is %s", s.Server, s.Status)
			}
		}
	}
	if got != 10 {
		t.Errorf("%d servers got it, want 10", got)
	}
	for _, server := range w.servers {
		w.onDisk(server, nil)
	}
	stream, err := w.jetStream().Stream(t.Context(), command.Stream)
	if err != nil || stream.CachedInfo().State.LastSeq != 20 {
		t.Errorf("%d commands were sent, want 20: ten there and ten back (%v)", stream.CachedInfo().State.LastSeq, err)
	}
	t.Logf("rolled back in %s: %s", ended.Updated.Sub(begun.Created).Round(100*time.Millisecond), ended.Reason)
	w.goodModule()
}

// goodModule reaches everybody, also with a guard.
func (w *world) goodModule() {
	w.publish("good", "1.0.0", "fast")
	begun, err := w.m.StartRollout(w.t.Context(), installation.RolloutAsk{
		License: w.license, Module: "good", Servers: w.servers, BatchSize: 100, MaxFailures: 1,
		Guard: &installation.Guard{DropPercent: 20, BaselineS: 3600, MinSamples: 20}, By: installation.By{Actor: "test"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ended := w.rollout(w.m, begun.ID, "good", installation.Done)
	for _, server := range w.servers {
		w.onDisk(server, map[string]string{"Good.cs": "fast"})
	}
	w.t.Logf("200 servers in %s: %s", ended.Updated.Sub(begun.Created).Round(100*time.Millisecond), ended.Reason)
}

func TestRolloutStopsAtFailures(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.publish("loot", "1.0.0", "loot")
	w.files.misbehave(nil)
	w.files.put("loot@1.0.0", "another file")
	w.crowd()
	ask := installation.RolloutAsk{License: w.license, Module: "loot", Servers: w.servers, BatchSize: 1, MaxFailures: 2, By: installation.By{Actor: "test"}}
	begun, err := w.m.StartRollout(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.m.StartRollout(t.Context(), ask); !errors.Is(err, installation.ErrRolloutOpen) {
		t.Errorf("a second one: %v", err)
	}
	ended := w.rollout(w.m, begun.ID, "loot", installation.Stopped)
	if asked := countAsked(ended); asked != 2 {
		t.Errorf("%d servers were asked, want 2", asked)
	}
	ask.Guard = &installation.Guard{DropPercent: 20, BaselineS: 3600, MinSamples: 1}
	if _, err := w.m.StartRollout(t.Context(), ask); !errors.Is(err, installation.ErrNoStats) {
		t.Errorf("a guard without stats: %v", err)
	}
}

func countAsked(r installation.Rollout) (asked int) {
	for _, s := range r.Servers {
		if s.Installation != nil {
			asked++
		}
	}
	return asked
}

func TestRolloutPauseCancelRevert(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.publish("loot", "1.0.0", "loot")
	w.crowd()
	by := installation.By{Actor: "test"}
	begun, err := w.m.StartRollout(t.Context(), installation.RolloutAsk{
		License: w.license, Module: "loot", Servers: w.servers, BatchSize: 1, Pause: time.Hour, MaxFailures: 1, By: by,
	})
	if err != nil {
		t.Fatal(err)
	}
	localtest.CheckFor(t, patience, 50*time.Millisecond, func() error {
		r, err := w.m.Rollout(t.Context(), w.license, "loot", begun.ID)
		if err != nil || r.Servers[0].Status != installation.Installed {
			return fmt.Errorf("%+v: %w", r.Servers, errors.Join(err, errNotYet))
		}
		return nil
	})
	f := func(verb installation.Verb, want installation.RolloutStatus) {
		t.Helper()
		if r, err := w.m.Steer(t.Context(), w.license, "loot", begun.ID, verb, by); err != nil || r.Status != want {
			t.Errorf("%s: %s %v", verb, r.Status, err)
		}
	}
	f(installation.Pause, installation.Paused)
	f(installation.Resume, installation.Running)
	f(installation.Cancel, installation.Withdrawn)
	if _, err := w.m.Steer(t.Context(), w.license, "loot", begun.ID, installation.Resume, by); !errors.Is(err, installation.ErrIllegal) {
		t.Errorf("resumed after its end: %v", err)
	}
	w.onDisk("s000", map[string]string{"Loot.cs": "loot"})
	f(installation.Revert, installation.RollingBack)
	ended := w.rollout(w.m, begun.ID, "loot", installation.RolledBack)
	if asked := countAsked(ended); asked != 1 {
		t.Errorf("%d servers were asked, want 1", asked)
	}
	w.onDisk("s000", nil)
	if _, err := w.m.Rollout(t.Context(), w.other, "loot", begun.ID); !errors.Is(err, installation.ErrNoRollout) {
		t.Errorf("another license sees it: %v", err)
	}
}
