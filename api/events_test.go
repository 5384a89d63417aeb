package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
)

func TestEventsLifeCycle(t *testing.T) {
	h := openStored(t)
	admin, viewer, stranger := h.token(t, ourLicense, auth.Admin), h.token(t, ourLicense, auth.Viewer), h.token(t, theirLicense, auth.Owner)
	id := uuid.NewString()
	body := `{"id":"` + id + `","kind":"deploy","title":" Loot 1.4 ","server_id":"cycle","text":"a\nb","data":{ "n" : 1 },"ts":"` + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano) + `"}`
	first := h.send(t, "POST", "/api/analytics/events", admin, body)
	again := h.send(t, "POST", "/api/analytics/events", admin, body)
	if first.StatusCode != 201 || again.StatusCode != 200 || first.body != again.body || first.Header.Get("Location") != "/api/analytics/events/"+id {
		t.Errorf("%d %s\n%d %s", first.StatusCode, first.body, again.StatusCode, again.body)
	}
	var mark Mark
	if err := json.Unmarshal([]byte(first.body), &mark); err != nil || mark.Title != "Loot 1.4" || string(mark.Data) != `{"n":1}` || *mark.ServerID != "cycle" || mark.Source != "api" {
		t.Errorf("got %+v %v", mark, err)
	}
	h.send(t, "POST", "/api/analytics/events", admin, strings.Replace(body, "1.4", "1.5", 1)).problem(t, 409, "conflict")
	network := h.send(t, "POST", "/api/analytics/events", admin, `{"kind":"note","title":"everywhere","ts":`+time.Now().Add(-time.Minute).Format("20060102")+`}`)
	network.problem(t, 422, "invalid-request") // seconds or dates are no milliseconds
	network = h.send(t, "POST", "/api/analytics/events", admin, `{"kind":"note","title":"everywhere"}`)
	if network.StatusCode != 201 || !strings.Contains(network.body, `"server_id":null`) {
		t.Errorf("%d %s", network.StatusCode, network.body)
	}
	list := h.get(t, "/api/analytics/events?range=2h&kind=deploy&kind=wipe&server_id=cycle&limit=1000", viewer)
	if list.StatusCode != 200 || !strings.Contains(list.body, id) || strings.Contains(list.body, "everywhere") {
		t.Errorf("%d %s", list.StatusCode, list.body)
	}
	h.send(t, "DELETE", "/api/analytics/events/"+id, stranger, "").problem(t, 404, "not-found")
	h.send(t, "DELETE", "/api/analytics/events/not-a-uuid", admin, "").problem(t, 404, "not-found")
	if gone := h.send(t, "DELETE", "/api/analytics/events/"+id, admin, ""); gone.StatusCode != 204 || gone.body != "" {
		t.Errorf("DELETE: %d %s", gone.StatusCode, gone.body)
	}
	h.send(t, "DELETE", "/api/analytics/events/"+id, admin, "").problem(t, 404, "not-found")
	h.send(t, "POST", "/api/analytics/events", admin, body).problem(t, 409, "conflict")
	if list := h.get(t, "/api/analytics/events?range=2h&limit=1000", viewer); strings.Contains(list.body, id) || !strings.Contains(list.body, "everywhere") {
		t.Errorf("%s", list.body)
	}
}

func TestEventsPages(t *testing.T) {
	h := openStored(t)
	token := h.token(t, ourLicense, auth.Owner)
	title := uuid.NewString()
	for range 5 {
		if a := h.send(t, "POST", "/api/analytics/events", token, `{"kind":"map","title":"`+title+`"}`); a.StatusCode != 201 {
			t.Fatal(a.body)
		}
	}
	seen := 0
	for path := "/api/analytics/events?kind=map&limit=2"; path != ""; {
		a := h.get(t, path, token)
		if a.StatusCode != 200 {
			t.Fatal(a.body)
		}
		seen += strings.Count(a.body, title)
		path, _, _ = strings.Cut(strings.TrimPrefix(a.Header.Get("Link"), "<"), ">")
	}
	if seen != 5 {
		t.Errorf("%d marks on all pages, want 5", seen)
	}
}

func TestEventsBadInput(t *testing.T) {
	h := openStored(t)
	token := h.token(t, ourLicense, auth.Owner)
	p := h.send(t, "POST", "/api/analytics/events?x=1", token,
		`{"id":"1","server_id":"a/b","ts":"soon","kind":"party","title":" ","text":7,"data":[],"source":"nats"}`).problem(t, 422, "invalid-request")
	want := []string{"body.data", "body.id", "body.kind", "body.server_id", "body.source", "body.text", "body.title", "body.ts", "query.x"}
	if got := locations(p); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for name, more := range map[string]string{
		"too far ahead": `"ts":"2099-01-01T00:00:00Z"`, "too old": `"ts":1`, "long title": `"title":"` + strings.Repeat("ü", 201) + `"`,
		"long text": `"text":"` + strings.Repeat("ü", 2049) + `"`, "long data": `"data":{"a":"` + strings.Repeat("x", 16<<10) + `"}`,
		"deep data": `"data":` + strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "title twice": `"title":"x","title":"y"`,
	} {
		body := `{"kind":"note",` + more + `}`
		if !strings.Contains(more, `"title"`) {
			body = `{"kind":"note","title":"x",` + more + `}`
		}
		if a := h.send(t, "POST", "/api/analytics/events", token, body); a.StatusCode != 422 {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	p = h.get(t, "/api/analytics/events?kind=party&limit=1001&server_id=a/b&range=x&sort=ts", token).problem(t, 422, "invalid-request")
	want = []string{"query.kind", "query.limit", "query.range", "query.server_id", "query.sort"}
	if got := locations(p); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	h.get(t, "/api/analytics/events?cursor=%27%20OR%201", token).problem(t, 422, "invalid-request")
}
