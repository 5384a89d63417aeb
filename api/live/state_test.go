package live

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

const now = int64(1_800_000_000_000)

func sampleOf(id string, ts int64, players uint64) *schema.Sample {
	s := &schema.Sample{ServerID: id, TS: ts}
	s.SetUint(schema.Players, players)
	return s
}

func current(st *state) float64 {
	if t := st.totals(nil); t.Players.Current != nil {
		return *t.Players.Current
	}
	return -1
}

func TestNewestSampleWins(t *testing.T) {
	st := newState(DefaultConfig())
	f := func(s *schema.Sample, changes bool, players float64) {
		t.Helper()
		if got := st.take(s, now); got != changes {
			t.Errorf("%s at %d: changed %v, want %v", s.ServerID, s.TS-now, got, changes)
		}
		st.advance(2, now)
		if got := current(st); got != players {
			t.Errorf("%s at %d: %v players, want %v", s.ServerID, s.TS-now, got, players)
		}
	}
	f(sampleOf("a", now-10, 5), true, 5)
	f(sampleOf("a", now-10, 5), false, 5) // again
	f(sampleOf("a", now-20, 9), false, 5) // late
	f(sampleOf("a", now-10, 6), true, 6)  // of the same moment, and another
	f(sampleOf("b", now-5, 1), true, 7)
	f(sampleOf("c", now-6*60_000, 100), true, 7)      // known, and silent
	f(sampleOf("d", now-25*3_600_000, 100), false, 7) // a backfill
	f(sampleOf("a", now+4*60_000, 8), true, 9)        // a clock ahead
	if got := st.totals(nil).Servers; got.Total != 3 || got.Online != 2 || got.Silent != 1 {
		t.Errorf("servers %+v", got)
	}
	if got := st.totals(map[string]bool{"b": true}); *got.Players.Current != 1 || got.Servers.Total != 1 {
		t.Errorf("one server: %+v", got)
	}
}

func TestSilentServersLeaveTheTotals(t *testing.T) {
	st := newState(DefaultConfig())
	st.read(Book{Expected: map[string]time.Duration{"slow": 10 * time.Minute}}, now)
	st.take(sampleOf("fast", now, 3), now)
	st.take(sampleOf("slow", now, 4), now)
	st.advance(2, now)
	f := func(after time.Duration, changed bool, players float64, total int) {
		t.Helper()
		at := now + after.Milliseconds()
		if got := st.age(at); got != changed {
			t.Errorf("after %s: changed %v", after, got)
		}
		st.advance(3, at)
		if got := current(st); got != players || st.totals(nil).Servers.Total != total {
			t.Errorf("after %s: %v players, %+v", after, got, st.totals(nil).Servers)
		}
	}
	f(5*time.Minute, false, 7, 2)
	f(5*time.Minute+time.Millisecond, true, 4, 2)
	f(5*time.Minute+time.Millisecond, false, 4, 2)
	f(21*time.Minute, true, -1, 2)
}

func TestBook(t *testing.T) {
	st := newState(DefaultConfig())
	st.take(sampleOf("a", now, 1), now)
	st.take(sampleOf("b", now, 2), now)
	st.advance(2, now)
	book := NewBook([]string{"b", "never"}, []string{"a"}, nil)
	if !st.read(book, now) || !st.know("lately", now-3_600_000) || st.know("a", now) || st.know("b", now) {
		t.Error("what is written was not read")
	}
	st.advance(3, now)
	if st.take(sampleOf("a", now+1, 1), now) {
		t.Error("an archived server came back")
	}
	var got []string
	for _, k := range st.order {
		got = append(got, string(k.json))
	}
	want := `{"server_id":"b","state":"online","last_seen":"2027-01-15T08:00:00.000Z","sample":{"server_id":"b","ts":1800000000000,"players":2}}` + "\n" +
		`{"server_id":"lately","state":"silent","last_seen":"2027-01-15T07:00:00.000Z","sample":null}` + "\n" +
		`{"server_id":"never","state":"silent","last_seen":null,"sample":null}`
	wanted := strings.Split(want, "\n")
	if len(got) != 3 || got[0] != wanted[0] || got[1] != wanted[1] || got[2] != wanted[2] {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if st.read(book, now) {
		t.Error("the same book changed something")
	}
	st.read(Book{}, now)
	if len(st.order) != 2 {
		t.Errorf("%d servers, want those that were heard", len(st.order))
	}
}

func TestServersAreBounded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxServers = 10
	st := newState(cfg)
	for range 3 {
		for i := range 1000 {
			st.take(sampleOf("s"+string(rune('a'+i%26))+uuid.NewString()[:8], now, 1), now)
		}
	}
	if len(st.order) != 10 || len(st.servers) != 10 || !st.omitted {
		t.Errorf("%d servers, omitted %v", len(st.order), st.omitted)
	}
	// A server that is there replaces one that is not, and those that are there stay.
	later := now + 6*60_000
	st.advance(2, now)
	st.age(later)
	st.advance(3, later)
	for i := range 11 {
		if got := st.take(sampleOf("new"+string(rune('a'+i)), later, 1), later); got != (i < 10) {
			t.Errorf("new server %d: %v", i, got)
		}
	}
	st.advance(4, later)
	if got := current(st); got != 10 || len(st.order) != 10 || len(st.gone) != 10 {
		t.Errorf("%v players, %d servers, %d departures", got, len(st.order), len(st.gone))
	}
}

func TestTotals(t *testing.T) {
	st := newState(DefaultConfig())
	for i, fps := range []float64{60, 10, 50} {
		s := sampleOf(string(rune('a'+i)), now, 10)
		s.SetFloat(schema.FPS, fps)
		s.SetUint(schema.NetIn, 1<<60)
		st.take(s, now)
	}
	st.advance(2, now)
	body, err := json.Marshal(st.totals(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"players":{"current":30,"capacity":null,`, `"fps":{"avg":40,"min":10,"p05":10,"p50":50,"p95":60,"max":60}`,
		`"frame_ms":{"avg":null,`, `"net_in":3458764513820541000`, `"servers":{"total":3,"online":3,"silent":0}`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	huge := newState(DefaultConfig())
	for _, id := range []string{"a", "b"} {
		s := sampleOf(id, now, 1)
		s.SetFloat(schema.FPS, 1.7e308)
		huge.take(s, now)
	}
	huge.advance(2, now)
	if _, err := json.Marshal(huge.totals(nil)); err != nil {
		t.Error("sums of the largest numbers:", err)
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := (Config{}).Validate(); err == nil || strings.Count(err.Error(), "\n") < 10 {
		t.Errorf("an empty configuration: %v", err)
	}
}
