package aggregator

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
	"corrosion/schema/schematest"
)

var updateMarks = flag.Bool("update-marks", false, "write testdata/marks.golden anew")

func TestMarksGolden(t *testing.T) {
	got := strings.Join([]string{askChanged, askNext, askRestarts, askReadings, askMarks}, "\n\n") + "\n"
	if *updateMarks {
		if err := os.WriteFile("testdata/marks.golden", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile("testdata/marks.golden"); err != nil || got != string(want) {
		t.Errorf("the questions differ from testdata/marks.golden: %v", err)
	}
}

func number(v float64) *float64 { return &v }

func TestWiped(t *testing.T) {
	measured := func(entities, sleepers float64) reading {
		return reading{Entities: number(entities), Sleepers: number(sleepers)}
	}
	for name, c := range map[string]struct {
		before, after reading
		want          bool
	}{
		"nothing measured":          {reading{}, reading{}, false},
		"plain restart":             {measured(250_000, 300), measured(249_000, 310), false},
		"wipe":                      {measured(250_000, 300), measured(115_000, 3), true},
		"sleepers removed alone":    {measured(250_000, 300), measured(250_000, 0), false},
		"entities cleaned up alone": {measured(250_000, 300), measured(90_000, 290), false},
		"few sleepers say nothing":  {measured(250_000, 4), measured(100_000, 0), false},
		"no sleepers measured":      {reading{Entities: number(250_000)}, reading{Entities: number(115_000)}, true},
		"a third of the entities":   {reading{Entities: number(250_000)}, reading{Entities: number(170_000)}, false},
		"an empty server":           {reading{Entities: number(400)}, reading{Entities: number(0)}, false},
		"sleepers alone":            {reading{Sleepers: number(200)}, reading{Sleepers: number(0)}, true},
		"another seed":              {reading{Seed: number(1)}, reading{Seed: number(2)}, true},
		"the same seed":             {reading{Seed: number(7)}, reading{Seed: number(7)}, false},
		"a seed only after":         {reading{}, reading{Seed: number(7)}, false},
		"another map":               {reading{Map: "a"}, reading{Map: "b"}, false},
	} {
		if r := (&restart{Before: c.before, After: c.after}); r.wiped() != c.want {
			t.Errorf("%s: got %v", name, !c.want)
		}
	}
}

func TestReconcile(t *testing.T) {
	r := restart{License: uuid.New(), ServerID: "a", At: 2000, Last: 1000}
	mark := r.marks()[0]
	always := func(*schema.Event) bool { return true }
	as := func(e schema.Event, version uint32, deleted bool) schema.Event {
		e.Version, e.Deleted = version, deleted
		return e
	}
	other := mark
	other.Title = "Other"
	for name, c := range map[string]struct {
		wanted, stored []schema.Event
		version        uint32 // of the one row written; 0: none
		deleted        bool
	}{
		"new":                {[]schema.Event{mark}, nil, 1, false},
		"the same again":     {[]schema.Event{mark}, []schema.Event{mark}, 0, false},
		"other words":        {[]schema.Event{mark}, []schema.Event{other}, 2, false},
		"not wanted":         {nil, []schema.Event{as(mark, 3, false)}, 4, true},
		"withdrawn before":   {nil, []schema.Event{as(mark, 4, true)}, 0, false},
		"wanted again":       {[]schema.Event{mark}, []schema.Event{as(mark, 4, true)}, 5, false},
		"deleted by someone": {[]schema.Event{mark}, []schema.Event{as(mark, schema.EventDeleted, true)}, 0, false},
	} {
		rows := reconcile(c.wanted, c.stored, always, 77)
		if c.version == 0 && len(rows) != 0 || c.version > 0 && (len(rows) != 1 || rows[0].Version != c.version || rows[0].Deleted != c.deleted || rows[0].ReceivedAt != 77) {
			t.Errorf("%s: got %+v", name, rows)
		}
	}
	if rows := reconcile(nil, []schema.Event{mark}, func(*schema.Event) bool { return false }, 77); len(rows) != 0 {
		t.Errorf("withdrawn although it must not be: %+v", rows)
	}
}

// life makes samples of servers that restart, change their map and are wiped.
func life(license uuid.UUID, random *rand.Rand, from, to time.Time) (samples []schema.Sample) {
	for i := range 4 {
		id, boot, started, level := fmt.Sprint("s", i), 0, from, "map-0"
		entities, sleepers := 200_000.0, 200.0
		for at := from.Add(time.Duration(random.IntN(60)) * time.Second); at.Before(to); at = at.Add(time.Duration(20+random.IntN(60)) * time.Second) {
			switch random.IntN(200) {
			case 0, 1: // restart
				boot, started = boot+1, at
			case 2: // wipe
				boot, started, entities, sleepers = boot+1, at, 100_000, 0
			case 3:
				boot, started, level = boot+1, at, fmt.Sprint("map-", boot+1)
			case 4, 5: // silence, some of hours
				at = at.Add(time.Duration(random.IntN(150)) * time.Minute)
				if !at.Before(to) {
					continue
				}
			}
			entities, sleepers = entities+float64(random.IntN(300)), sleepers+float64(random.IntN(2))
			s := schema.Sample{License: license, ServerID: id, TS: at.UnixMilli(), ReceivedAt: at.UnixMilli(), Epoch: 1, Seq: uint64(len(samples))}
			s.SetUint(schema.UptimeS, uint64(at.Sub(started)/time.Second))
			if i != 1 { // one server names no boot
				s.SetText(schema.Boot, fmt.Sprint(id, "-", boot))
			}
			if random.IntN(4) > 0 {
				s.SetUint(schema.Entities, uint64(entities))
				s.SetUint(schema.Sleepers, uint64(sleepers))
			}
			s.SetText(schema.Map, level)
			samples = append(samples, s)
		}
	}
	return samples
}

// referenceMarks says in plain Go which marks samples show before closed, as "server kind ts".
func referenceMarks(samples []schema.Sample, closed int64) (marks []string) {
	bySeries := map[string][]schema.Sample{}
	for _, s := range samples {
		if s.TS < closed {
			bySeries[s.ServerID] = append(bySeries[s.ServerID], s)
		}
	}
	for id, own := range bySeries {
		slices.SortFunc(own, func(a, b schema.Sample) int { return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.Seq, b.Seq)) })
		var at []int
		for i := 1; i < len(own); i++ {
			if own[i].Boot != own[i-1].Boot || own[i].Uint(schema.UptimeS) < own[i-1].Uint(schema.UptimeS) {
				at = append(at, i)
			}
		}
		for n, i := range at {
			until := own[i].TS + settleFor.Milliseconds()
			if n+1 < len(at) {
				until = min(until, own[at[n+1]].TS)
			}
			r := restart{ServerID: id, At: own[i].TS, Last: own[i-1].TS}
			for j := range samples { // also those after closed
				s := &samples[j]
				if s.ServerID != id || s.TS <= r.Last-readingFor.Milliseconds() || s.TS >= until {
					continue
				}
				read(&r, s)
			}
			for _, m := range r.marks() {
				marks = append(marks, fmt.Sprint(id, " ", m.Kind, " ", m.TS))
			}
		}
	}
	slices.Sort(marks)
	return marks
}

// read puts one sample, of some in order of time, into the readings of a restart.
func read(r *restart, s *schema.Sample) {
	into, most := &r.Before, false
	if s.TS >= r.At {
		into, most = &r.After, true
	}
	into.Map = s.Map
	for f, value := range map[schema.Field]**float64{schema.Entities: &into.Entities, schema.Sleepers: &into.Sleepers} {
		if v := s.Number(f); s.Has(f) && (!most || *value == nil || v > **value) {
			*value = &v
		}
	}
}

func (w *world) standing(license uuid.UUID) (marks []string) {
	w.t.Helper()
	rows, err := w.conn.Query(w.t.Context(), "SELECT server_id, kind, toUnixTimestamp64Milli(ts) FROM corrosion.events WHERE license_id = ? AND source = 'samples'", license)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var server, kind string
		var ts int64
		if err := rows.Scan(&server, &kind, &ts); err != nil {
			w.t.Fatal(err)
		}
		marks = append(marks, fmt.Sprint(server, " ", kind, " ", ts))
	}
	slices.Sort(marks)
	return marks
}

func (w *world) look() {
	w.t.Helper()
	if _, err := w.RunNow(w.t.Context(), marksJob, Manual, Window{}, nil); err != nil {
		w.t.Fatal(err)
	}
}

// However samples come (in which order, how many at once, how late, with looks between), the marks are those of plain Go.
func TestMarksEqualReference(t *testing.T) {
	w := newWorld(t)
	license := uuid.New()
	now := schema.FloorHour(time.Now()).Add(25 * time.Minute)
	w.Runner.now = func() time.Time { // each run is another moment's
		now = now.Add(time.Millisecond)
		return now
	}
	samples := life(license, rand.New(rand.NewPCG(4, 4)), now.Add(-9*time.Hour), now)
	random := rand.New(rand.NewPCG(5, 5))
	late := slices.Clone(samples)
	random.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	parts := [][]schema.Sample{late[:len(late)*2/3], late[len(late)*2/3 : len(late)-20], late[len(late)-20:]}
	closed := schema.FloorHour(now.Add(-settleFor)).UnixMilli()
	var stored []schema.Sample
	for i, part := range parts {
		schematest.InsertSamples(t, w.conn, part)
		stored = append(stored, part...)
		slices.SortFunc(stored, func(a, b schema.Sample) int { return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.Seq, b.Seq)) })
		w.look()
		want := referenceMarks(stored, closed)
		if got := w.standing(license); !slices.Equal(got, want) {
			t.Fatalf("after part %d: got %d marks, want %d\nonly got  %v\nonly want %v", i, len(got), len(want), without(got, want), without(want, got))
		}
	}
	counts := map[string]int{}
	for _, m := range w.standing(license) {
		counts[strings.Fields(m)[1]]++
	}
	if counts["restart"] < 10 || counts["wipe"] == 0 || counts["map"] == 0 {
		t.Errorf("too little happened to prove anything: %v", counts)
	}

	// Looking again writes nothing; the next hour is looked at when it has closed, without new samples.
	w.look()
	now = now.Add(time.Hour)
	w.look()
	if got, want := w.standing(license), referenceMarks(stored, schema.FloorHour(now.Add(-settleFor)).UnixMilli()); !slices.Equal(got, want) {
		t.Errorf("an hour later: only got %v, only want %v", without(got, want), without(want, got))
	}
}

func without(list, others []string) (left []string) {
	for _, s := range list {
		if !slices.Contains(others, s) {
			left = append(left, s)
		}
	}
	return left
}
