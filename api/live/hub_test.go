package live

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// guard is a Guard whose answers a test sets.
type guard struct {
	mu      sync.Mutex
	reason  map[uuid.UUID]string
	session map[uuid.UUID]bool
	err     error
}

func (g *guard) License(_ context.Context, id uuid.UUID) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason[id], g.err
}

func (g *guard) Ended(_ context.Context, ids []uuid.UUID) (ended []uuid.UUID, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range ids {
		if g.session[id] {
			ended = append(ended, id)
		}
	}
	return ended, g.err
}

func (g *guard) set(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// seeder counts how often it is asked.
type seeder struct {
	mu      sync.Mutex
	asked   int
	samples []schema.Sample
	heard   map[string]int64
	err     error
}

func (s *seeder) Newest(context.Context, uuid.UUID, time.Time, int) ([]schema.Sample, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.samples, s.err
}

func (s *seeder) Heard(context.Context, uuid.UUID, int) (map[string]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard, s.err
}

func (s *seeder) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// rig is a hub on a real NATS.
type rig struct {
	*Hub
	t      *testing.T
	guard  *guard
	seeder *seeder
	nc     *nats.Conn
}

func newRig(t *testing.T, url string, change func(*Config, *Deps)) *rig {
	t.Helper()
	r := &rig{t: t, guard: &guard{reason: map[uuid.UUID]string{}, session: map[uuid.UUID]bool{}}, seeder: &seeder{}}
	cfg := DefaultConfig()
	cfg.FrameEvery, cfg.CheckEvery, cfg.BookEvery = 20*time.Millisecond, 20*time.Millisecond, 20*time.Millisecond
	deps := Deps{
		NATSURL: url, Guard: r.guard, Seeder: r.seeder, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg, &deps)
	}
	var err error
	if r.Hub, err = New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if r.nc, err = nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.nc.Close)
	return r
}

func (r *rig) join(ask Ask) *Listener {
	r.t.Helper()
	l, err := r.Join(r.t.Context(), ask)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(l.Leave)
	return l
}

func (r *rig) publish(license uuid.UUID, server string, players int) {
	r.t.Helper()
	body := fmt.Sprintf(`{"server_id":%q,"players":%d,"ts":%d}`, server, players, time.Now().UnixMilli())
	if err := r.nc.Publish(schema.StatsSubject(license), []byte(body)); err != nil {
		r.t.Fatal(err)
	}
	if err := r.nc.Flush(); err != nil {
		r.t.Fatal(err)
	}
}

// until reads frames until their text holds want, and gives what came.
func until(t *testing.T, l *Listener, want string) string {
	t.Helper()
	limit := time.After(10 * time.Second)
	var got strings.Builder
	for {
		f, next := l.Frame()
		if f != nil {
			got.Write(f.Plain)
		}
		if strings.Contains(got.String(), want) {
			return got.String()
		}
		select {
		case <-next:
		case <-limit:
			t.Fatalf("no %s in\n%s", want, got.String())
		}
	}
}

// lastID is the id of the last event of a text.
func lastID(text string) string {
	_, id, _ := strings.Cut(text[strings.LastIndex(text, "id: "):], "id: ")
	id, _, _ = strings.Cut(id, "\n")
	return id
}

func TestSamplesReachListeners(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), nil)
	ours, theirs := uuid.New(), uuid.New()
	r.seeder.samples = []schema.Sample{*sampleOf("seeded", time.Now().UnixMilli(), 7)}
	r.seeder.heard = map[string]int64{"seeded": 5, "long ago": 7}
	l, other := r.join(Ask{License: ours}), r.join(Ask{License: theirs})
	first := until(t, l, "event: snapshot")
	if !strings.Contains(first, `"server_id":"seeded"`) || !strings.Contains(first, `"current":7`) || !strings.Contains(first, `"total":2,"online":1`) || !strings.Contains(first, `"complete":true`) {
		t.Errorf("the first snapshot is not whole: %s", first)
	}
	until(t, other, "event: snapshot")
	r.publish(ours, "live", 5)
	if got := until(t, l, `"current":12`); !strings.Contains(got, "event: servers\n") || strings.Contains(got, `"server_id":"seeded"`) {
		t.Errorf("a change has more than what changed: %s", got)
	}
	r.publish(theirs, "stranger", 1)
	if got := until(t, other, "stranger"); strings.Contains(got, `"live"`) {
		t.Errorf("another license's frame: %s", got)
	}
	if again := r.join(Ask{License: ours}); again.n != l.n || r.seeder.times() != 2 {
		t.Errorf("asked ClickHouse %d times for two licenses", r.seeder.times())
	}
	r.publish(ours, "live", 5)
	r.publish(ours, "other", 6)
	if got := until(t, l, `"current":18`); strings.Contains(got, "stranger") {
		t.Errorf("another license's frame: %s", got)
	}
}

func TestResume(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), nil)
	license := uuid.New()
	l := r.join(Ask{License: license})
	until(t, l, "event: snapshot")
	r.publish(license, "a", 1)
	id := lastID(until(t, l, `"current":1`))
	r.publish(license, "b", 2)
	until(t, l, `"current":3`)
	r.publish(license, "b", 5)
	until(t, l, `"current":6`)

	missed, _ := r.join(Ask{License: license, LastID: id}).Frame()
	if text := string(missed.Plain); !strings.HasPrefix(text, "event: servers\n") || strings.Count(text, `"sample"`) != 1 || !strings.Contains(text, `"players":5`) {
		t.Errorf("missed: %s", text)
	}
	f := func(name, id string, selection Selection) {
		t.Helper()
		frame, _ := r.join(Ask{License: license, LastID: id, Selection: selection}).Frame()
		if frame == nil || !bytes.Contains(frame.Plain, []byte("event: snapshot")) {
			t.Errorf("%s: no snapshot", name)
		}
	}
	f("nonsense", "x\x00-", Selection{})
	f("too many parts", id+"-1", Selection{})
	f("the future", id+"000", Selection{})
	f("another network", "0123456789ab"+id[12:], Selection{})
	f("another selection", id, only("a"))
	for i := range maxDepartures + 1 {
		r.networks[license].mu.Lock()
		r.networks[license].state.leaving = append(r.networks[license].state.leaving, fmt.Sprint("gone", i))
		r.networks[license].mu.Unlock()
	}
	r.networks[license].publish()
	r.publish(license, "c", 1)
	until(t, l, `"current":7`)
	f("too old", id, Selection{})
}

func only(ids ...string) Selection {
	return Selection{Key: strings.Join(ids, ","), Resolve: func(context.Context) ([]string, error) { return ids, nil }}
}

func TestSelections(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), nil)
	license := uuid.New()
	var mu sync.Mutex
	chosen := []string{"a"}
	tagged := Selection{Key: "tag", Resolve: func(context.Context) ([]string, error) {
		mu.Lock()
		defer mu.Unlock()
		return chosen, nil
	}}
	l, all := r.join(Ask{License: license, Selection: tagged}), r.join(Ask{License: license})
	until(t, l, "event: snapshot")
	r.publish(license, "a", 1)
	r.publish(license, "b", 2)
	until(t, all, `"current":3`)
	if got := until(t, l, `"current":1`); strings.Contains(got, `"b"`) {
		t.Errorf("more than was selected: %s", got)
	}
	mu.Lock()
	chosen = []string{"b"}
	mu.Unlock()
	if got := until(t, l, `"current":2`); !strings.Contains(got, "event: snapshot") || strings.Contains(got, `"a"`) {
		t.Errorf("after another choice: %s", got)
	}
}

func TestNATSAway(t *testing.T) {
	server := localtest.NewNATS(t)
	r := newRig(t, server.URL(), nil)
	license := uuid.New()
	l := r.join(Ask{License: license})
	until(t, l, "event: snapshot")
	server.Kill(t)
	if got := until(t, l, "event: stale"); !strings.Contains(got, `data: {"since":"20`) || !strings.Contains(got, `"stale_since":"20`) {
		t.Errorf("stale: %s", got)
	}
	if late, _ := r.join(Ask{License: license}).Frame(); !bytes.Contains(late.Plain, []byte(`"stale_since":"20`)) {
		t.Errorf("who comes meanwhile is not told: %s", late.Plain)
	}
	server.Start(t)
	until(t, l, "event: fresh")
	localtest.CheckFor(t, 10*time.Second, 10*time.Millisecond, func() error {
		if n := r.seeder.times(); n != 2 {
			return fmt.Errorf("asked ClickHouse %d times, want again after the gap", n)
		}
		return nil
	})
	r.publish(license, "a", 4)
	if got := until(t, l, `"current":4`); !strings.Contains(got, `"stale_since":null`) {
		t.Errorf("recovered: %s", got)
	}
}

func TestSeedFails(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), func(c *Config, _ *Deps) { c.SeedRetry = 10 * time.Millisecond })
	r.seeder.err = errors.New("away")
	l := r.join(Ask{License: uuid.New()})
	until(t, l, `"complete":false`)
	r.seeder.mu.Lock()
	r.seeder.err, r.seeder.samples = nil, []schema.Sample{*sampleOf("a", time.Now().UnixMilli(), 3)}
	r.seeder.mu.Unlock()
	if got := until(t, l, `"complete":true`); !strings.Contains(got, `"current":3`) {
		t.Errorf("after the retry: %s", got)
	}
}

// What many listeners get is made once, and packed frames make one stream.
func TestFramesAreShared(t *testing.T) {
	r := newRig(t, localtest.NATSURL(t), nil)
	license := uuid.New()
	a, b := r.join(Ask{License: license}), r.join(Ask{License: license})
	one, next := a.Frame()
	two, _ := b.Frame()
	if one != two {
		t.Error("two snapshots of the same")
	}
	r.publish(license, "s", 1)
	<-next
	three, _ := a.Frame()
	four, _ := b.Frame()
	if three != four || three == nil {
		t.Error("two frames of the same")
	}
	stream := append(bytes.Clone(one.Packed()), three.Packed()...)
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(append(stream, 1, 0, 0, 0xff, 0xff))))
	if err != nil || string(plain) != string(one.Plain)+string(three.Plain) {
		t.Errorf("unpacked %q, %v", plain, err)
	}
}
