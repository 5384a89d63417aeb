package api

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// copied is one step of a nightly copy.
func (h *harness) copied(t *testing.T, license uuid.UUID, query string) (rows []string, next string) {
	t.Helper()
	a := h.get(t, "/api/analytics/export?format=ndjson&"+query, h.token(t, license, auth.Viewer))
	if a.StatusCode != 200 || a.err != nil {
		t.Fatalf("%s: %d %v %s", query, a.StatusCode, a.err, a.body)
	}
	rows = strings.FieldsFunc(a.body, func(r rune) bool { return r == '\n' })
	if got := a.Trailer.Get("X-Row-Count"); got != fmt.Sprint(len(rows)) {
		t.Errorf("trailer %s, %d rows", got, len(rows))
	}
	if next = a.Trailer.Get("X-Next-Cursor"); next == "" || url.QueryEscape(next) != next {
		t.Errorf("cursor %q", next)
	}
	return rows, next
}

// A copy that goes on by cursors has late samples, those that were ahead of the first export, and nothing twice.
func TestExportAfter(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	seq := uint64(0)
	insert := func(server string, at time.Duration) {
		t.Helper()
		seq++
		s := sampleAt(license, server, time.Now().Add(at))
		s.Seq = seq
		s.SetUint(schema.Players, seq)
		schematest.InsertSamples(t, conn, []schema.Sample{s})
	}
	want := func(rows []string, players ...int) {
		t.Helper()
		if len(rows) != len(players) {
			t.Fatalf("%d rows, want players %v: %v", len(rows), players, rows)
		}
		for i, p := range players {
			if !strings.Contains(rows[i], fmt.Sprintf(`"players":%d,`, p)) {
				t.Errorf("row %d: %s, want players %d", i, rows[i], p)
			}
		}
	}
	insert("a", -time.Hour)
	insert("a", 4*time.Minute) // a clock that is ahead: not in a range that ends now
	rows, next := h.copied(t, license, "range=24h")
	want(rows, 1)
	rows, next = h.copied(t, license, "after="+next)
	want(rows, 2)
	rows, next = h.copied(t, license, "after="+next)
	want(rows)
	insert("b", -time.Minute)
	insert("a", -3*24*time.Hour) // late, and before the first export's range
	before := next
	rows, next = h.copied(t, license, "after="+next)
	want(rows, 4, 3)
	rows, next = h.copied(t, license, "after="+next)
	want(rows)
	insert("c", -time.Minute)
	rows, _ = h.copied(t, license, "after="+before) // the same cursor again: what came since then
	want(rows, 4, 3, 5)
	rows, _ = h.copied(t, license, "after="+next)
	want(rows, 5)

	// An end that was given is meant: what lies behind it is not sent later, unless it comes later.
	end := url.QueryEscape(time.Now().Add(-2 * time.Hour).Format(time.RFC3339))
	rows, next = h.copied(t, license, "from=2026-01-01T00:00:00Z&to="+end)
	want(rows, 4)
	rows, _ = h.copied(t, license, "after="+next)
	want(rows)

	a := h.get(t, "/api/analytics/export?after="+next, h.token(t, license, auth.Viewer))
	if got := a.Header.Get("Content-Disposition"); !strings.Contains(got, license.String()+"-raw-stored-20") {
		t.Errorf("disposition %s", got)
	}
}

func TestExportAfterSelection(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	_, next := h.copied(t, license, "server_id=a&server_id=b")
	schematest.InsertSamples(t, conn, []schema.Sample{
		sampleAt(license, "a", time.Now()), sampleAt(license, "b", time.Now()), sampleAt(license, "c", time.Now()),
	})
	if rows, _ := h.copied(t, license, "server_id=b&server_id=a&after="+next); len(rows) != 2 {
		t.Errorf("%d rows of the chosen servers, want 2: %v", len(rows), rows)
	}
	for _, format := range []string{"csv", "parquet"} {
		a := h.get(t, "/api/analytics/export?server_id=b&server_id=a&after="+next+"&format="+format, h.token(t, license, auth.Viewer))
		if a.err != nil || a.Trailer.Get("X-Row-Count") != "2" {
			t.Errorf("%s: %v %v", format, a.err, a.Trailer)
		}
	}
}

func TestExportAfterRefused(t *testing.T) {
	h := open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	_, next := h.copied(t, license, "range=1h")
	f := func(name, query string, status int, code string, locations ...string) {
		t.Helper()
		p := h.get(t, "/api/analytics/export?"+query, h.token(t, license, auth.Viewer)).problem(t, status, code)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Location)
		}
		if strings.Join(got, " ") != strings.Join(locations, " ") {
			t.Errorf("%s: faults at %v, want %v", name, got, locations)
		}
	}
	f("empty", "after=", 422, "invalid-request", "query.after")
	f("not a cursor", "after=yesterday", 422, "invalid-request", "query.after")
	f("tampered", "after="+strings.ToUpper(next), 422, "invalid-request", "query.after")
	f("cut", "after="+next[:20], 422, "invalid-request", "query.after")
	f("twice", "after="+next+"&after="+next, 422, "invalid-request", "query.after")
	f("another selection", "server_id=a&after="+next, 422, "invalid-request", "query.after")
	f("with a range", "range=1h&after="+next, 422, "invalid-request", "query.range")
	f("with from and to", "from=0&to=1&after="+next, 422, "invalid-request", "query.from", "query.to")
	f("hours", "granularity=hourly&after="+next, 422, "invalid-request", "query.after")
	f("every fault at once", "format=xls&range=1h&after=x", 422, "invalid-request", "query.format", "query.range", "query.after")
	theirs := h.get(t, "/api/analytics/export?after="+next, h.token(t, ourLicense, auth.Viewer))
	theirs.problem(t, 422, "invalid-request")

	old := cursor{since: time.Now().Add(-cursorLife(schema.DefaultRetention()) - time.Minute), scope: scopeOf(license, nil, nil)}
	text, err := old.seal(h.deps.Keys)
	if err != nil {
		t.Fatal(err)
	}
	f("expired", "after="+text, 410, "cursor-expired", "query.after")
	a := h.get(t, "/api/analytics/export?granularity=hourly", h.token(t, license, auth.Viewer))
	if a.err != nil || a.Trailer.Get("X-Next-Cursor") != "" || a.Trailer.Get("X-Row-Count") != "0" {
		t.Errorf("hours: %v, trailers %v", a.err, a.Trailer)
	}
}

func TestCursorKeepsItsState(t *testing.T) {
	keys, err := auth.LoadOrCreateKeys(t.TempDir() + "/jwt.key")
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_795_000_000_100).UTC()
	for _, want := range []cursor{{since: at, scope: cursorScope{1}}, {since: at, ahead: at.Add(time.Millisecond), scope: cursorScope{15: 1}}} {
		text, err := want.seal(keys)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := openCursor(keys, text); err != nil || got != want {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	text, err := keys.Seal(cursorPurpose, append([]byte{cursorVersion + 1}, make([]byte, cursorSize-1)...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openCursor(keys, text); err == nil {
		t.Error("a later version is read")
	}
}

// A copy by cursors while samples keep coming has every one once, through the API as a client sees it.
func TestExportAfterWhileInserting(t *testing.T) {
	conn, h := schematest.ClickHouse(t), open(t, clickHouseHTTP(t), nil)
	license := h.newLicense()
	const batches, size = 40, 5
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := range batches {
			var samples []schema.Sample
			for i := range size {
				s := sampleAt(license, "a", time.Now().Add(-time.Duration((b*7919+i)%3000)*time.Minute))
				s.SetUint(schema.N, uint64(b*size+i))
				samples = append(samples, s)
			}
			schematest.InsertSamples(t, conn, samples)
		}
	}()
	seen := map[string]int{}
	query := "range=7d"
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		rows, next := h.copied(t, license, query)
		for _, row := range rows {
			_, rest, _ := strings.Cut(row, `"n":`)
			n, _, _ := strings.Cut(rest, ",")
			seen[n]++
		}
		query = "after=" + next
	}
	for n, times := range seen {
		if times != 1 {
			t.Errorf("n %s came %d times", n, times)
		}
	}
	if len(seen) != batches*size {
		t.Errorf("%d of %d samples", len(seen), batches*size)
	}
}

// An engine that is away before the first byte is a problem answer, not a file.
func TestExportWithoutEngine(t *testing.T) {
	h := open(t, unreachable, nil)
	h.get(t, "/api/analytics/export", h.token(t, ourLicense, auth.Viewer)).problem(t, 503, "unavailable")
}
