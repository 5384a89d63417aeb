package events

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"corrosion/api/query"
	"corrosion/schema"
	"corrosion/schema/connect/stores"
	"corrosion/schema/schematest"
)

var update = flag.Bool("update", false, "write the golden file anew")

// Every text that is sent to ClickHouse: go test -run Golden -args -update renews it.
func TestGoldenSQL(t *testing.T) {
	got := text("find", composition{}) + "\n" + text("list", composition{}) + "\n" + text("list", composition{Servers: true, Kinds: true, After: true})
	if *update {
		if err := os.WriteFile("testdata/sql.golden", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/sql.golden")
	if err != nil || got != string(want) {
		t.Errorf("the statements differ from testdata/sql.golden: %v", err)
	}
}

func newStore(t *testing.T) (*Store, driver.Conn) {
	t.Helper()
	conn := schematest.ClickHouse(t)
	return New(schematest.Postgres(t), conn, time.Now), conn
}

func TestListEqualsReference(t *testing.T) {
	store, _ := newStore(t)
	license, now := uuid.New(), time.Now().UTC().Truncate(time.Second)
	var all []schema.Event
	for i := range 40 {
		e := schema.Event{
			License: license, Kind: schema.EventKinds()[i%5], Title: fmt.Sprint("mark ", i), Text: "text\n'", Data: `{"n":1}`,
			ServerID: []string{"", "a", "b"}[i%3], TS: now.Add(-time.Duration(i/2) * time.Minute).UnixMilli(), // two at each time
		}
		stored, made, err := store.Add(t.Context(), e)
		if err != nil || !made {
			t.Fatal(made, err)
		}
		all = append(all, *stored)
		other := e
		other.License = uuid.New()
		if _, _, err := store.Add(t.Context(), other); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(all, func(a, b schema.Event) int {
		if a.TS != b.TS {
			return int(b.TS - a.TS)
		}
		// ClickHouse orders UUIDs by their second half first.
		return cmp.Or(bytes.Compare(b.ID[8:], a.ID[8:]), bytes.Compare(b.ID[:8], a.ID[:8]))
	})
	for name, c := range map[string]struct {
		filter Filter
		keep   func(schema.Event) bool
	}{
		"all": {Filter{Range: query.Range{From: now.Add(-day), To: now.Add(time.Second)}}, func(schema.Event) bool { return true }},
		"range": {Filter{Range: query.Range{From: now.Add(-10 * time.Minute), To: now}}, func(e schema.Event) bool {
			return e.TS >= now.Add(-10*time.Minute).UnixMilli() && e.TS < now.UnixMilli()
		}},
		"kinds":   {Filter{Range: query.Range{From: now.Add(-day), To: now.Add(time.Second)}, Kinds: []schema.EventKind{schema.Wipe, schema.Note}}, func(e schema.Event) bool { return e.Kind == schema.Wipe || e.Kind == schema.Note }},
		"server":  {Filter{Range: query.Range{From: now.Add(-day), To: now.Add(time.Second)}, Servers: []string{"a"}, Chosen: true}, func(e schema.Event) bool { return e.ServerID != "b" }},
		"network": {Filter{Range: query.Range{From: now.Add(-day), To: now.Add(time.Second)}, Chosen: true}, func(e schema.Event) bool { return e.ServerID == "" }},
	} {
		var got, want []schema.Event
		c.filter.License, c.filter.Limit = license, 7
		for {
			page, next, err := store.List(t.Context(), c.filter)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page...)
			if c.filter.Cursor = next; next == "" {
				break
			}
		}
		for _, e := range all {
			if c.keep(e) {
				want = append(want, e)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
	for _, cursor := range []string{"x", "e30", strings.Repeat("A", 400)} {
		if _, _, err := store.List(t.Context(), Filter{License: license, Limit: 1, Cursor: cursor}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %.10s: got %v", cursor, err)
		}
	}
}

const day = 24 * time.Hour

// The same request again, at once or later, makes one mark; a deleted one stays away.
func TestAddOnce(t *testing.T) {
	store, conn := newStore(t)
	license := uuid.New()
	e := schema.Event{License: license, ID: uuid.New(), Kind: schema.Deploy, Title: "v2"}
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		wg.Go(func() {
			_, first, err := store.Add(t.Context(), e)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if first {
				made++
			}
		})
	}
	wg.Wait()
	standing := func() (rows uint64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT count() FROM "+schema.EventsView+" WHERE license_id = ?", license).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if made != 1 || standing() != 1 {
		t.Errorf("%d of 8 equal requests made a mark, %d stand", made, standing())
	}
	changed := e
	changed.Title = "v3"
	if _, _, err := store.Add(t.Context(), changed); !errors.Is(err, ErrTaken) {
		t.Errorf("another mark of that id: got %v", err)
	}
	changed = e
	changed.TS = time.Now().Add(-time.Hour).UnixMilli()
	if _, _, err := store.Add(t.Context(), changed); !errors.Is(err, ErrTaken) {
		t.Errorf("another time of that id: got %v", err)
	}
	changed = e
	changed.License = uuid.New()
	if _, first, err := store.Add(t.Context(), changed); err != nil || !first {
		t.Errorf("another license's mark of that id: got %v %v", first, err)
	}
	if err := store.Delete(t.Context(), uuid.New(), e.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("another license deletes: got %v", err)
	}
	if err := store.Delete(t.Context(), license, e.ID); err != nil || standing() != 0 {
		t.Errorf("delete: got %v, %d stand", err, standing())
	}
	if err := store.Delete(t.Context(), license, e.ID); !errors.Is(err, ErrUnknown) {
		t.Errorf("delete twice: got %v", err)
	}
	if _, _, err := store.Add(t.Context(), e); !errors.Is(err, ErrTaken) || standing() != 0 {
		t.Errorf("a deleted mark again: got %v, %d stand", err, standing())
	}
	shards, err := stores.Shards(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards {
		if err := shard.Exec(t.Context(), "OPTIMIZE TABLE "+schema.EventsTable+" FINAL"); err != nil || standing() != 0 {
			t.Errorf("after merging: got %v, %d stand", err, standing())
		}
	}
}
