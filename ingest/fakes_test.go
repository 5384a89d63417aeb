package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/pause"
	"corrosion/schema/wire"
)

// fence orders what a test reads of the fakes before what they note later: the fakes hold it, and the test passes it
// before it goes on.
type fence struct{ sync.Mutex }

func (f *fence) pass() {
	f.Lock()
	defer f.Unlock()
}

// fakeSource gives what it is told to and notes the answers.
type fakeSource struct {
	*fence
	out        chan message
	acked      []uint64
	handedBack []uint64
	poisoned   []string
	renewed    int
}

func (s *fakeSource) start()                        {}
func (s *fakeSource) messages() <-chan message      { return s.out }
func (s *fakeSource) stop()                         { close(s.out) }
func (s *fakeSource) abandon()                      {}
func (s *fakeSource) settle(context.Context) error  { return nil }
func (s *fakeSource) connected() bool               { return true }
func (s *fakeSource) release(context.Context) error { return nil }
func (s *fakeSource) lapse()                        {}

func (s *fakeSource) note(f func()) error {
	s.Lock()
	defer s.Unlock()
	f()
	return nil
}

func (s *fakeSource) ack(r *receipt) error {
	return s.note(func() { s.acked = append(s.acked, r.seq) })
}
func (s *fakeSource) progress(*receipt) error { return s.note(func() { s.renewed++ }) }
func (s *fakeSource) delay(r *receipt) error {
	return s.note(func() { s.handedBack = append(s.handedBack, r.seq) })
}
func (s *fakeSource) terminate(_ *receipt, reason string) error {
	return s.note(func() { s.poisoned = append(s.poisoned, reason) })
}

// fault is an error that a test sets while others look at it; nil pointer: none.
type fault struct{ atomic.Pointer[error] }

func (f *fault) set(err error) { f.Store(&err) }
func (f *fault) get() error {
	if err := f.Load(); err != nil {
		return *err
	}
	return nil
}

// fakeStore notes the rows of each insert; fail and block are its faults.
type fakeStore struct {
	*fence
	inserts []int
	tries   int
	fail    fault
	block   atomic.Int64 // ns
}

func (s *fakeStore) insert(ctx context.Context, b *batch) error {
	s.Lock()
	s.tries++
	s.Unlock()
	if block := time.Duration(s.block.Load()); block > 0 && !pause.For(ctx, block) {
		return ctx.Err()
	}
	if err := s.fail.get(); err != nil {
		return err
	}
	s.Lock()
	defer s.Unlock()
	s.inserts = append(s.inserts, b.rows)
	return nil
}
func (s *fakeStore) close() {}

type fakeGraves struct {
	*fence
	buried []letter
	fail   fault
}

func (g *fakeGraves) bury(_ context.Context, letters []letter) error {
	if err := g.fail.get(); err != nil {
		return err
	}
	g.Lock()
	defer g.Unlock()
	g.buried = append(g.buried, letters...)
	return nil
}

// fakeJournal adds up what it is given; fail is its fault.
type fakeJournal struct {
	*fence
	counts map[string]int64 // by outcome
	pages  []string
	fail   fault
}

func (j *fakeJournal) write(_ context.Context, page *journalPage) error {
	if err := j.fail.get(); err != nil {
		return err
	}
	j.Lock()
	defer j.Unlock()
	j.pages = append(j.pages, page.id)
	for _, row := range page.rows {
		j.counts[row.outcome] += row.n
	}
	return nil
}
func (j *fakeJournal) close() {}

// bench is a pipeline between fakes, for use inside synctest.
type bench struct {
	*pipeline
	fence   *fence
	t       *testing.T
	from    *fakeSource
	to      *fakeStore
	graves  *fakeGraves
	journal *fakeJournal
	who     *someLicenses
	license uuid.UUID
	body    []byte
	seq     uint64
	stop    context.CancelFunc
	ended   chan struct{}
	abort   chan struct{}
}

// inBubble runs test with a running pipeline under synctest and stops the pipeline afterwards.
func inBubble(t *testing.T, change func(*Config), test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		if change != nil {
			change(&c)
		}
		f := &fence{}
		b := &bench{
			t: t, fence: f, from: &fakeSource{fence: f, out: make(chan message, 100_000)}, to: &fakeStore{fence: f}, graves: &fakeGraves{fence: f},
			journal: &fakeJournal{fence: f, counts: map[string]int64{}},
			ended:   make(chan struct{}), abort: make(chan struct{}),
		}
		b.who = &someLicenses{known: map[uuid.UUID]bool{}}
		b.license = b.who.add()
		s := testSample(1)
		s.TS = time.Now().UnixMilli()
		b.body = wire.AppendJSON(nil, &s)
		status := newStatus(&c, time.Now)
		b.pipeline = &pipeline{
			config: c, source: b.from, store: b.to, graves: b.graves, journal: b.journal, licenses: b.who, status: status, metrics: newMetrics(status),
			now: time.Now, log: slog.New(slog.DiscardHandler), abort: b.abort,
		}
		ctx, cancel := context.WithCancel(t.Context())
		b.stop = cancel
		go func() {
			b.run(ctx)
			close(b.ended)
		}()
		test(b)
		cancel()
		<-b.ended
	})
}

// give hands over count messages of one good sample each.
func (b *bench) give(count int) {
	b.fence.pass()
	for range count {
		b.giveBody(b.body)
	}
	synctest.Wait()
}

func (b *bench) giveBody(body []byte) {
	b.seq++
	b.from.out <- message{
		receipt: receipt{epoch: 1, seq: b.seq, storedAt: time.Now().UnixMilli()},
		subject: schema.StatsSubject(b.license), data: body, delivered: 1,
	}
}

func (b *bench) pass(d time.Duration) {
	b.fence.pass()
	time.Sleep(d) // the bubble's clock
	synctest.Wait()
}

func (b *bench) want(acked int, inserts ...int) {
	b.t.Helper()
	if len(b.from.acked) != acked || fmt.Sprint(b.to.inserts) != fmt.Sprint(inserts) {
		b.t.Errorf("%d acked, inserts %v; want %d, %v", len(b.from.acked), b.to.inserts, acked, inserts)
	}
}
