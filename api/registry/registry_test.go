package registry

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/query"
	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

var update = flag.Bool("update", false, "write the golden file anew")

// Every text that is sent to ClickHouse: go test -run Golden -args -update renews it.
func TestGoldenSQL(t *testing.T) {
	var got strings.Builder
	for _, name := range []string{"heard", "values", "hours", "words"} {
		for _, chosen := range []bool{false, true} {
			fmt.Fprintf(&got, "-- %s chosen=%v\n%s\n", name, chosen, text(name, composition{Chosen: chosen, Fields: []string{"players", "fps"}}))
		}
	}
	if *update {
		if err := os.WriteFile("testdata/sql.golden", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/sql.golden")
	if err != nil || got.String() != string(want) {
		t.Errorf("the statements differ from testdata/sql.golden: %v", err)
	}
}

// network is a license with servers that were heard and servers by hand, and what plain Go says of them.
type network struct {
	*Registry
	t       *testing.T
	license uuid.UUID
	now     time.Time
	samples []schema.Sample
	written map[string]Settings
}

func newNetwork(t *testing.T, seed uint64) *network {
	t.Helper()
	pool, conn := schematest.Postgres(t), schematest.ClickHouse(t)
	n := &network{t: t, license: uuid.New(), now: time.Now().UTC().Truncate(time.Second), written: map[string]Settings{}}
	n.Registry = New(pool, conn, func() time.Time { return n.now })
	if _, err := pg.New(pool).CreateLicense(t.Context(), pg.CreateLicenseParams{ID: n.license, Name: "test"}); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 2))
	for i := range 30 {
		id := fmt.Sprintf("s%02d", i)
		if i%5 != 4 { // every fifth is by hand alone
			n.hear(id, random)
		}
		if i%3 == 0 || i%5 == 4 {
			n.write(id, random)
		}
	}
	schematest.InsertSamples(t, conn, n.samples)
	other := schema.Sample{License: uuid.New(), ServerID: "s00", TS: n.now.UnixMilli(), ReceivedAt: n.now.UnixMilli(), Epoch: 1, Seq: 1}
	schematest.InsertSamples(t, conn, []schema.Sample{other})
	for id, s := range n.written {
		if _, err := n.Registry.write(t.Context(), n.license, id, "server.changed", func(Settings, bool) (Settings, error) { return s, nil }); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n *network) hear(id string, random *rand.Rand) {
	back := []time.Duration{0, 4 * time.Minute, 6 * time.Minute, 100 * time.Minute, 60 * time.Hour}[random.IntN(5)]
	for at := n.now.Add(-back); at.After(n.now.Add(-back - 5*time.Hour)); at = at.Add(-time.Duration(1+random.IntN(20)) * time.Minute) {
		s := schema.Sample{License: n.license, ServerID: id, TS: at.UnixMilli(), ReceivedAt: n.now.UnixMilli(), Epoch: 1, Seq: uint64(len(n.samples))}
		if random.IntN(4) > 0 {
			s.SetUint(schema.Players, uint64(random.IntN(100)))
		}
		if random.IntN(4) > 0 {
			s.SetFloat(schema.FPS, float64(random.IntN(6000))/64)
		}
		s.SetText(schema.Map, "map-"+id)
		n.samples = append(n.samples, s)
	}
}

func (n *network) write(id string, random *rand.Rand) {
	s := Settings{Name: "Name " + string(rune('A'+random.IntN(26))), Tags: map[string]string{"region": []string{"eu", "us"}[random.IntN(2)]}, Groups: []string{"all"}}
	if random.IntN(2) == 0 {
		s.Tags["mode"], s.Groups = "pvp", append(s.Groups, "Main")
	}
	if random.IntN(3) == 0 {
		seconds := 300
		s.ExpectedIntervalS = &seconds
	}
	if random.IntN(5) == 0 {
		at := n.now.Add(-time.Hour)
		s.ArchivedAt = &at
	}
	n.written[id] = s.normal()
}

// own are a server's samples, oldest first.
func (n *network) own(id string) (own []schema.Sample) {
	for _, s := range n.samples {
		if s.ServerID == id {
			own = append(own, s)
		}
	}
	slices.SortFunc(own, func(a, b schema.Sample) int { return cmp.Compare(a.TS, b.TS) })
	return own
}

// expected is a server as plain Go sees it; nil where it is not known.
func (n *network) expected(id string) *Server {
	settings, registered := n.written[id]
	own := n.own(id)
	if !registered && len(own) == 0 {
		return nil
	}
	s := &Server{ServerID: id, Settings: settings.normal(), Registered: registered, State: Silent, Latest: map[string]float64{}}
	since := schema.FloorHour(n.now).Add(-23 * time.Hour)
	s.Sparkline = Sparkline{Metric: "players", From: since, Step: "1h0m0s", Values: make([]*float64, 24)}
	if len(own) == 0 {
		return s
	}
	first, last := time.UnixMilli(own[0].TS).UTC(), time.UnixMilli(own[len(own)-1].TS).UTC()
	s.FirstSeen, s.LastSeen = &first, &last
	patience := 5 * time.Minute
	if settings.ExpectedIntervalS != nil && 2*time.Duration(*settings.ExpectedIntervalS)*time.Second > patience {
		patience = 2 * time.Duration(*settings.ExpectedIntervalS) * time.Second
	}
	if n.now.Sub(last) <= patience {
		s.State = Online
	}
	level := "map-" + id
	s.Map = &level
	sums, counts := make([]float64, 24), make([]float64, 24)
	for _, sample := range own {
		at := time.UnixMilli(sample.TS)
		recent := !at.Before(schema.FloorHour(last).Add(-time.Hour))
		if sample.Has(schema.FPS) && recent {
			s.Latest["fps"] = sample.Float(schema.FPS)
		}
		if !sample.Has(schema.Players) {
			continue
		}
		if recent {
			s.Latest["players"] = float64(sample.Uint(schema.Players))
		}
		if i := int(at.Sub(since) / time.Hour); !at.Before(since) {
			sums[i], counts[i] = sums[i]+float64(sample.Uint(schema.Players)), counts[i]+1
		}
	}
	for i := range sums {
		if counts[i] > 0 {
			mean := sums[i] / counts[i]
			s.Sparkline.Values[i] = &mean
		}
	}
	return s
}

func (n *network) all(keep func(*Server) bool) (all []*Server) {
	for i := range 30 {
		if s := n.expected(fmt.Sprintf("s%02d", i)); s != nil && keep(s) {
			all = append(all, s)
		}
	}
	return all
}

// pages reads a list to its end.
func (n *network) pages(r ListRequest) (all []*Server) {
	n.t.Helper()
	r.License = n.license
	for range 100 {
		list, err := n.List(n.t.Context(), r)
		if err != nil {
			n.t.Fatal(err)
		}
		all = append(all, list.Servers...)
		if list.Next == nil {
			if len(all) != list.Total {
				n.t.Errorf("%+v: %d servers on all pages, total says %d", r, len(all), list.Total)
			}
			return all
		}
		r.Cursor = *list.Next
	}
	n.t.Fatal("the pages do not end")
	return nil
}

func TestListEqualsReference(t *testing.T) {
	for seed := range uint64(1) {
		n := newNetwork(t, seed)
		alive := func(s *Server) bool { return s.ArchivedAt == nil }
		got, want := n.pages(ListRequest{Limit: 7}), n.all(alive)
		if len(got) != len(want) {
			t.Fatalf("%d servers, want %d", len(got), len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("got  %+v\nwant %+v", got[i], want[i])
			}
			one, err := n.Find(t.Context(), n.license, want[i].ServerID)
			if err != nil || !reflect.DeepEqual(one, want[i]) {
				t.Errorf("by itself: got %+v %v\nwant %+v", one, err, want[i])
			}
		}
		for name, c := range map[string]struct {
			request ListRequest
			keep    func(*Server) bool
		}{
			"online":   {ListRequest{State: Online}, func(s *Server) bool { return alive(s) && s.State == Online }},
			"silent":   {ListRequest{State: Silent}, func(s *Server) bool { return alive(s) && s.State == Silent }},
			"archived": {ListRequest{Archived: true}, func(s *Server) bool { return !alive(s) }},
			"region":   {ListRequest{Selector: Selector{Tags: []query.Tag{{Key: "region", Value: "eu"}}}}, func(s *Server) bool { return alive(s) && s.Tags["region"] == "eu" }},
			"two tags": {ListRequest{Selector: Selector{Tags: []query.Tag{{Key: "region", Value: "eu"}, {Key: "region", Value: "us"}, {Key: "mode", Value: "pvp"}}}},
				func(s *Server) bool { return alive(s) && s.Tags["mode"] == "pvp" }},
			"group":  {ListRequest{Selector: Selector{Groups: []string{"Main", "none"}}}, func(s *Server) bool { return alive(s) && slices.Contains(s.Groups, "Main") }},
			"search": {ListRequest{Search: "PV"}, func(s *Server) bool { return alive(s) && s.Tags["mode"] == "pvp" }},
			"by id":  {ListRequest{Search: "s1"}, func(s *Server) bool { return alive(s) && strings.HasPrefix(s.ServerID, "s1") }},
		} {
			c.request.Limit = 4
			if got, want := ids(n.pages(c.request)), ids(n.all(c.keep)); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		n.checkOrders(want)
	}
}

func ids(servers []*Server) (list []string) {
	for _, s := range servers {
		list = append(list, s.ServerID)
	}
	return list
}

// checkOrders sorts by everything there is, in both directions.
func (n *network) checkOrders(all []*Server) {
	value := func(s *Server, key string) (text string, number *float64) {
		switch key {
		case "server_id":
			return s.ServerID, nil
		case "name":
			return strings.ToLower(s.Name), nil
		case "state":
			return string(s.State), nil
		case "first_seen":
			return "", millis(s.FirstSeen)
		case "last_seen":
			return "", millis(s.LastSeen)
		}
		if v, ok := s.Latest[key]; ok {
			return "", &v
		}
		return "", nil
	}
	for _, key := range []string{"server_id", "name", "state", "first_seen", "last_seen", "players", "fps", "entities"} {
		for _, minus := range []string{"", "-"} {
			want := slices.Clone(all)
			slices.SortFunc(want, func(a, b *Server) int {
				at, an := value(a, key)
				bt, bn := value(b, key)
				missing := func(t string, n *float64) int {
					if t == "" && n == nil {
						return 1
					}
					return 0
				}
				if c := cmp.Compare(missing(at, an), missing(bt, bn)); c != 0 {
					return c
				}
				c := cmp.Compare(at, bt)
				if an != nil && bn != nil {
					c = cmp.Compare(*an, *bn)
				}
				if minus != "" {
					c = -c
				}
				return cmp.Or(c, cmp.Compare(a.ServerID, b.ServerID))
			})
			if got := ids(n.pages(ListRequest{Sort: minus + key, Limit: 13})); !slices.Equal(got, ids(want)) {
				n.t.Errorf("by %s%s: got %v, want %v", minus, key, got, ids(want))
			}
		}
	}
}

func TestCursors(t *testing.T) {
	n := newNetwork(t, 5)
	list, err := n.List(t.Context(), ListRequest{License: n.license, Limit: 3})
	if err != nil || list.Next == nil {
		t.Fatal(err)
	}
	for _, cursor := range []string{"x", "e30", "bm90IGpzb24", strings.Repeat("A", 4000), *list.Next + "A"} {
		if _, err := n.List(t.Context(), ListRequest{License: n.license, Limit: 3, Cursor: cursor}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %.20s: got %v", cursor, err)
		}
	}
	if _, err := n.List(t.Context(), ListRequest{License: n.license, Limit: 3, Sort: "name", Cursor: *list.Next}); !errors.Is(err, ErrCursor) {
		t.Errorf("a cursor of another order: got %v", err)
	}
}

func TestSelectAndGroups(t *testing.T) {
	n := newNetwork(t, 6)
	written := func(keep func(Settings) bool) (list []string) {
		for id, s := range n.written {
			if keep(s) {
				list = append(list, id)
			}
		}
		slices.Sort(list)
		return list
	}
	for name, c := range map[string]struct {
		selector Selector
		keep     func(Settings) bool
	}{
		"tag":          {Selector{Tags: []query.Tag{{Key: "region", Value: "eu"}}}, func(s Settings) bool { return s.Tags["region"] == "eu" }},
		"alternatives": {Selector{Tags: []query.Tag{{Key: "region", Value: "eu"}, {Key: "region", Value: "us"}}}, func(Settings) bool { return true }},
		"both keys":    {Selector{Tags: []query.Tag{{Key: "region", Value: "eu"}, {Key: "mode", Value: "pvp"}}}, func(s Settings) bool { return s.Tags["region"] == "eu" && s.Tags["mode"] == "pvp" }},
		"group":        {Selector{Groups: []string{"Main"}}, func(s Settings) bool { return slices.Contains(s.Groups, "Main") }},
		"tag in group": {Selector{Tags: []query.Tag{{Key: "region", Value: "us"}}, Groups: []string{"Main", "x"}}, func(s Settings) bool { return s.Tags["region"] == "us" && slices.Contains(s.Groups, "Main") }},
		"none":         {Selector{Tags: []query.Tag{{Key: "region", Value: "eu' OR '1'='1"}}}, func(Settings) bool { return false }},
		"unknown key":  {Selector{Tags: []query.Tag{{Key: "nope", Value: "eu"}}}, func(Settings) bool { return false }},
	} {
		got, err := n.Select(t.Context(), n.license, c.selector)
		if err != nil || !slices.Equal(got, written(c.keep)) {
			t.Errorf("%s: got %v %v, want %v", name, got, err, written(c.keep))
		}
		if other, err := n.Select(t.Context(), uuid.New(), c.selector); err != nil || len(other) > 0 {
			t.Errorf("%s: another license selects %v %v", name, other, err)
		}
	}
	groups, err := n.Groups(t.Context(), n.license, query.GroupGroups, nil)
	main, all := written(func(s Settings) bool { return slices.Contains(s.Groups, "Main") }), written(func(Settings) bool { return true })
	if want := []query.Group{{Name: "Main", Servers: main}, {Name: "all", Servers: all}}; err != nil || !reflect.DeepEqual(groups, want) {
		t.Errorf("groups: got %v %v, want %v", groups, err, want)
	}
	eu := written(func(s Settings) bool { return s.Tags["region"] == "eu" })
	groups, err = n.Groups(t.Context(), n.license, "tag:region", append([]string{"unknown"}, eu[:1]...))
	if want := []query.Group{{Name: "eu", Servers: eu[:1]}}; err != nil || !reflect.DeepEqual(groups, want) {
		t.Errorf("regions of one server: got %v %v, want %v", groups, err, want)
	}
	book, err := n.Book(t.Context(), n.license)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(book.Archived)
	if want := written(func(s Settings) bool { return s.ArchivedAt != nil }); !slices.Equal(book.Archived, want) || len(book.Registered)+len(want) != len(n.written) {
		t.Errorf("book: got %v, want %v archived", book, want)
	}
}
