package chaos

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// settleLimit bounds the end of a run: all is confirmed, then all is stored.
const settleLimit = 2 * time.Minute

// Run does the harm, verifies, and fails the test for everything that was lost, doubled, wrong or stuck.
func Run(t *testing.T, c Config, program Program) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	dir := workDir(t, c.Dir)
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.close(); err != nil {
			t.Error(err)
		}
	})
	w := newWorld(t, &c, program, j, dir)
	l := newLedger(c.Seed, time.Now().UTC().Truncate(time.Second))
	l.crossRepeats = c.CrossRepeats
	if err := w.admit(l); err != nil {
		t.Fatal(err)
	}
	w.start(0)
	w.startAggregator()
	d := w.struckUnderLoad(l)
	r := &Report{Config: c, Kills: d.kills, Struck: d.struck, Striking: time.Since(begun)}
	v := newVerifier(&c, w, l)
	if v.Removed, err = w.settleRollups(); err != nil {
		w.find("%v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, verify := range []func(context.Context) error{v.verifySamples, v.verifyLetters, v.verifyRollups} {
		if err := verify(ctx); err != nil {
			t.Fatal("verify:", err)
		}
	}
	r.tally, r.Findings, r.Messages = v.tally, w.findings, len(l.messages)
	r.Refused, r.Unanswered, r.Redelivered = d.g.refused.Load(), d.g.unanswered.Load(), d.redelivered()
	r.Took = time.Since(begun)
	t.Log("\n" + r.String())
	if err := r.save(); err != nil {
		t.Error(err)
	}
	for _, failure := range r.Failures() {
		t.Error(failure)
	}
}

// struckUnderLoad publishes while the driver strikes, and returns when everything has settled.
func (w *world) struckUnderLoad(l *ledger) *driver {
	// Publishers wait for streams, which the ingester makes.
	g, err := startGenerator(l, w.journal, w.config.Rate, []string{w.nats.URL(), via(w.t, w.nats.URL(), w.fromPublishers)})
	if err != nil {
		w.t.Fatal(err)
	}
	defer g.close()
	d, err := newDriver(w.config, w, g)
	if err != nil {
		w.t.Fatal(err)
	}
	if !d.until(30*time.Second, func() bool { return g.confirmed.Load() > 0 }) {
		w.t.Fatal("nothing was confirmed within 30s")
	}
	d.run()
	if err := g.finish(settleLimit); err != nil {
		w.find("%v", err)
	}
	d.watch()
	if !d.drain(settleLimit) {
		w.find("not drained within %s: %s", settleLimit, d.backlog())
	}
	d.noteDeliveries()
	for slot := range w.ingesters { // what they still hold, if anything, is stored or handed back
		w.stop(slot)
	}
	if messages, _, err := w.waiting(); err != nil || messages > 0 {
		w.find("%d messages wait after the ingesters stopped (%v)", messages, err)
	}
	return d
}

// workDir is the folder of the journal and the logs; one that was not asked for goes when the test passes.
func workDir(t *testing.T, dir string) string {
	t.Helper()
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dir, err := os.MkdirTemp("", "corrosion-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal and logs are kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

func openPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	return pool, nil
}
