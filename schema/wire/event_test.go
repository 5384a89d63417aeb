package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/schema"
)

var eventEnv = Envelope{License: uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001"), StoredAt: 1_790_000_000_000, Epoch: 3, Seq: 9}

type decodedEvents struct {
	good []schema.Event
	bad  []string // "index reason"
}

func decodeEvents(body, encoding string) decodedEvents {
	var out decodedEvents
	NewDecoder().DecodeEvents(eventEnv, encoding, []byte(body),
		func(e *schema.Event) { out.good = append(out.good, *e) },
		func(r Reject) { out.bad = append(out.bad, fmt.Sprint(r.Index, " ", r.Reason)) })
	return out
}

func TestDecodeEventWhole(t *testing.T) {
	got := decodeEvents(`{"server_id":"eu-1","ts":"2026-09-21T14:13:20.123456Z","kind":"wipe","title":" Map wipe ","text":"a\nb","data":{ "seed" : 12, "s":" { " },"else":1}`, "")
	want := schema.Event{
		License: eventEnv.License, ID: schema.EventIDFromStream(3, 9, 0), ServerID: "eu-1", TS: time.Date(2026, 9, 21, 14, 13, 20, 123e6, time.UTC).UnixMilli(),
		Kind: schema.Wipe, Title: "Map wipe", Text: "a\nb", Data: `{"seed":12,"s":" { "}`, Source: schema.FromNATS, ReceivedAt: eventEnv.StoredAt,
		Epoch: 3, Seq: 9, Version: schema.EventCreated,
	}
	if len(got.good) != 1 || !reflect.DeepEqual(got.good[0], want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestDecodeEventShapes(t *testing.T) {
	mark := `{"kind":"note","title":"x"}`
	for body, want := range map[string]int{
		mark: 1, "[" + mark + ", " + mark + "]": 2, mark + "\n\n" + mark + "\r\n": 2, "\ufeff[]": 0,
		"{\n\"kind\":\"note\",\n\"title\":\"x\"}": 1,
	} {
		got := decodeEvents(body, "")
		if len(got.good) != want || len(got.bad) != 0 {
			t.Errorf("%q: got %+v, want %d good", body, got, want)
		}
		for i := range got.good {
			if e := got.good[i]; e.TS != eventEnv.StoredAt || e.ServerID != "" || int(e.Idx) != i || e.ID != schema.EventIDFromStream(3, 9, i) {
				t.Errorf("%q: mark %d is %+v", body, i, e)
			}
		}
	}
}

func TestDecodeEventRefuses(t *testing.T) {
	with := func(more string) string { return `{"kind":"note","title":"x",` + more + `}` }
	deep := strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17)
	for body, want := range map[string]Reason{
		"":                              Empty,
		"\x00":                          Malformed,
		`{"kind":"note"`:                Malformed,
		`[{"kind":"note","title":"x"}`:  Malformed,
		with(`"server_id":"a b"`):       BadServer,
		with(`"server_id":"events"`):    BadServer,
		with(`"server_id":7`):           WrongType,
		with(`"ts":"yesterday"`):        BadTime,
		with(`"ts":true`):               WrongType,
		with(`"ts":1790000300001`):      TimeAhead,
		with(`"ts":1782223999999`):      TimeBehind,
		with(`"ts":1790000`):            TimeBehind,
		with(`"kind":"note"`):           Duplicate,
		`{"title":"x"}`:                 BadKind,
		`{"kind":"party","title":"x"}`:  BadKind,
		`{"kind":"note"}`:               BadTitle,
		`{"kind":"note","title":" \t"}`: BadTitle,
		`{"kind":"note","title":null}`:  BadTitle,
		`{"kind":"note","title":"` + strings.Repeat("ü", 201) + `"}`: BadTitle,
		with(`"text":"` + strings.Repeat("x", 4097) + `"`):           TextTooLong,
		with(`"data":[1]`):     BadData,
		with(`"data":"{}"`):    BadData,
		with(`"data":` + deep): BadData,
		with(`"data":{"a":"` + strings.Repeat("x", 16<<10) + `"}`): BadData,
		`"note"`:                                 NotObject,
		"{\"kind\":\"note\",\"title\":\"\xff\"}": BadUTF8,
		"[" + strings.Repeat("1,", 1000) + "1]":  TooManyEvents,
		strings.Repeat("1\n", 1001):              TooManyEvents,
	} {
		got := decodeEvents(body, "")
		if len(got.good) != 0 || len(got.bad) != 1 || !strings.HasSuffix(got.bad[0], " "+string(want)) {
			t.Errorf("%.80q: got %+v, want %s", body, got, want)
		}
	}
	if got := decodeEvents("x", "br"); len(got.bad) != 1 || got.bad[0] != "-1 bad-encoding" {
		t.Errorf("brotli: %+v", got)
	}
}

// A bad mark never stops its neighbours.
func TestDecodeEventNeighbours(t *testing.T) {
	good := `{"kind":"note","title":"` + strings.Repeat("ü", 200) + `","ts":1790000300000}`
	for body, want := range map[string]string{
		"[" + good + `,{"kind":"x"},7,` + good + "]":     "[1 bad-kind 2 not-an-object]",
		good + "\n{broken\n" + good + "\n{\"kind\":1}\n": "[1 malformed 3 wrong-type]",
	} {
		got := decodeEvents(body, "")
		if len(got.good) != 2 || fmt.Sprint(got.bad) != want {
			t.Errorf("%.60q: %d good, bad %v, want %s", body, len(got.good), got.bad, want)
		}
	}
}

func FuzzDecodeEvents(f *testing.F) {
	f.Add(`{"kind":"note","title":"x","data":{"a":[1,{"b":"\""}]}}`)
	f.Add("[{}]\n")
	f.Add("{\"kind\":\"map\"}\n{\"ts\":1e999}")
	f.Fuzz(func(t *testing.T, body string) {
		for _, e := range decodeEvents(body, "").good {
			if !e.Kind.Valid() || e.Title == "" || len(e.Data) > schema.MaxEventData || e.ServerID != "" && !schema.ValidServerID(e.ServerID) {
				t.Errorf("accepted %+v of %q", e, body)
			}
			if e.Data != "" {
				if again, reason := CompactObject([]byte(e.Data)); reason != "" || again != e.Data {
					t.Errorf("data %q becomes %q: %s", e.Data, again, reason)
				}
			}
		}
	})
}
