package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"corrosion/api/auth"
	"corrosion/api/query"
	"corrosion/api/registry"
	"corrosion/schema"
	"corrosion/schema/schematest"
)

// locations are where a problem's faults lie.
func locations(p Problem) (list []string) {
	for _, e := range p.Errors {
		list = append(list, e.Location)
	}
	slices.Sort(list)
	return list
}

func TestServersLifeCycle(t *testing.T) {
	h := openStored(t)
	admin, viewer, stranger := h.token(t, ourLicense, auth.Admin), h.token(t, ourLicense, auth.Viewer), h.token(t, theirLicense, auth.Owner)
	created := h.send(t, "POST", "/api/analytics/servers", admin, `{"server_id":"cycle-1","name":"One","tags":{"region":"eu"},"groups":["b","a","b"],"expected_interval_s":600}`)
	if created.StatusCode != 201 || created.Header.Get("Location") != "/api/analytics/servers/cycle-1" {
		t.Fatalf("%d %s", created.StatusCode, created.body)
	}
	var server registry.Server
	if err := json.Unmarshal([]byte(created.body), &server); err != nil {
		t.Fatal(err)
	}
	if server.Name != "One" || server.Tags["region"] != "eu" || !slices.Equal(server.Groups, []string{"a", "b"}) || *server.ExpectedIntervalS != 600 || server.State != registry.Silent || server.LastSeen != nil {
		t.Errorf("got %+v", server)
	}
	h.send(t, "POST", "/api/analytics/servers", admin, `{"server_id":"cycle-1"}`).problem(t, 409, "conflict")

	read := h.get(t, "/api/analytics/servers/cycle-1", viewer)
	tag := read.Header.Get("ETag")
	if again := h.get(t, "/api/analytics/servers/cycle-1", viewer, "If-None-Match", tag); again.StatusCode != 304 {
		t.Errorf("If-None-Match: %d", again.StatusCode)
	}
	patched := h.send(t, "PATCH", "/api/analytics/servers/cycle-1", admin, `{"tags":{"mode":"pvp","region":null},"notes":"a\nb"}`, "If-Match", tag)
	if patched.StatusCode != 200 || !strings.Contains(patched.body, `"tags":{"mode":"pvp"}`) || !strings.Contains(patched.body, `"name":"One"`) {
		t.Errorf("PATCH: %d %s", patched.StatusCode, patched.body)
	}
	h.send(t, "PATCH", "/api/analytics/servers/cycle-1", admin, `{"name":"Late"}`, "If-Match", tag).problem(t, 412, "changed")
	replaced := h.send(t, "PUT", "/api/analytics/servers/cycle-1", admin, `{"name":"Two"}`, "If-Match", patched.Header.Get("ETag"))
	if replaced.StatusCode != 200 || !strings.Contains(replaced.body, `"tags":{},"groups":[],"notes":"","expected_interval_s":null`) {
		t.Errorf("PUT: %d %s", replaced.StatusCode, replaced.body)
	}
	archived := h.send(t, "POST", "/api/analytics/servers/cycle-1/archive", admin, "")
	if archived.StatusCode != 200 || strings.Contains(archived.body, `"archived_at":null`) {
		t.Errorf("archive: %d %s", archived.StatusCode, archived.body)
	}
	if list := h.get(t, "/api/analytics/servers?search=cycle", viewer); !strings.Contains(list.body, `"servers":[],"total":0`) {
		t.Errorf("an archived server is listed: %s", list.body)
	}
	if list := h.get(t, "/api/analytics/servers?archived=true&search=cycle", viewer); !strings.Contains(list.body, `"total":1`) {
		t.Errorf("it is not among the archived: %s", list.body)
	}
	if back := h.send(t, "POST", "/api/analytics/servers/cycle-1/unarchive", admin, ""); !strings.Contains(back.body, `"archived_at":null`) {
		t.Errorf("unarchive: %s", back.body)
	}

	// Another license's things do not exist, and stay as they are.
	h.get(t, "/api/analytics/servers/cycle-1", stranger).problem(t, 404, "not-found")
	h.send(t, "PUT", "/api/analytics/servers/cycle-1", stranger, `{"name":"Mine"}`).problem(t, 404, "not-found")
	h.send(t, "POST", "/api/analytics/servers/cycle-1/archive", stranger, "").problem(t, 404, "not-found")
	if after := h.get(t, "/api/analytics/servers/cycle-1", viewer); !strings.Contains(after.body, `"name":"Two"`) {
		t.Errorf("a stranger changed it: %s", after.body)
	}
}

func TestServersPages(t *testing.T) {
	h := openStored(t)
	token := h.token(t, ourLicense, auth.Admin)
	for i := range 5 {
		if a := h.send(t, "POST", "/api/analytics/servers", token, fmt.Sprintf(`{"server_id":"page-%d","groups":["pages"]}`, i)); a.StatusCode != 201 {
			t.Fatal(a.body)
		}
	}
	var got []string
	for path := "/api/analytics/servers?group=pages&limit=2&sort=-server_id"; path != ""; {
		a := h.get(t, path, token)
		var list registry.List
		if err := json.Unmarshal([]byte(a.body), &list); err != nil || list.Total != 5 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		for _, s := range list.Servers {
			got = append(got, s.ServerID)
		}
		link, _, _ := strings.Cut(strings.TrimPrefix(a.Header.Get("Link"), "<"), ">")
		path = link
		if (list.Next == nil) != (link == "") || link != "" && !strings.Contains(link, "cursor="+url.QueryEscape(*list.Next)) {
			t.Errorf("next %v, link %q", list.Next, link)
		}
	}
	if want := []string{"page-4", "page-3", "page-2", "page-1", "page-0"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestServersBadInput(t *testing.T) {
	h := openStored(t)
	token := h.token(t, ourLicense, auth.Owner)
	p := h.send(t, "POST", "/api/analytics/servers?x=1", token,
		`{"server_id":"a b","name":"`+strings.Repeat("n", 201)+`","tags":{"re gion":"eu","ok":7},"groups":[""," x"],"notes":3,"expected_interval_s":0,"owner":true}`).problem(t, 422, "invalid-request")
	want := []string{"body.expected_interval_s", "body.groups[0]", "body.groups[1]", "body.name", "body.notes", "body.owner", "body.server_id", "body.tags", "query.x"}
	if got := locations(p); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for name, body := range map[string]string{
		"nothing": " ", "no JSON": "{", "an array": "[]", "twice": `{"name":"a","name":"b","server_id":"x"}`, "deep": strings.Repeat("[", 1<<19),
		"not UTF-8": "{\"name\":\"\xff\",\"server_id\":\"x\"}", "controls": `{"server_id":"x","name":"a\u0000b"}`,
	} {
		if a := h.send(t, "POST", "/api/analytics/servers", token, body); a.StatusCode != 422 {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	h.send(t, "POST", "/api/analytics/servers", token, `{"server_id":"x"}`, "Content-Type", "text/plain").problem(t, 415, "media-type")
	for _, id := range []string{"a%20b", "a%2Fb", "..%2f", "'%20OR%201=1", "events", strings.Repeat("a", 65)} {
		if a := h.get(t, "/api/analytics/servers/"+id, token); a.StatusCode != 404 && a.StatusCode != 400 {
			t.Errorf("server %s: %d", id, a.StatusCode)
		}
	}
	p = h.get(t, "/api/analytics/servers?sort=password&state=maybe&limit=0&archived=2&tag=x&group=&page=2", token).problem(t, 422, "invalid-request")
	want = []string{"query.archived", "query.group", "query.limit", "query.page", "query.sort", "query.state", "query.tag"}
	if got := locations(p); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	h.get(t, "/api/analytics/servers?cursor=nonsense", token).problem(t, 422, "invalid-request")
}

// tag and group narrow what is asked of the engine, within the servers that are named.
func TestSelectionNarrows(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Viewer)
	for params, want := range map[string]query.Scope{
		"":                              {License: ourLicense},
		"tag=region:eu":                 {License: ourLicense, Servers: []string{"eu-1", "eu-2"}, Selected: true},
		"group=main&server_id=eu-2":     {License: ourLicense, Servers: []string{"eu-2"}, Selected: true},
		"tag=region:us":                 {License: ourLicense, Selected: true},
		"tag=region:eu&server_id=other": {License: ourLicense, Servers: []string{}, Selected: true},
	} {
		if a := h.get(t, "/api/analytics/summary?"+params, token); a.StatusCode != 200 {
			t.Fatalf("%s: %s", params, a.body)
		}
		got := h.queries.summary.Scope
		if got.Book == nil || !slices.Equal(got.Book.Archived, []string{"old"}) {
			t.Errorf("%s: book %+v", params, got.Book)
		}
		if got.Selected != want.Selected || !slices.Equal(got.Servers, want.Servers) {
			t.Errorf("%s: asked %+v, want %+v", params, got, want)
		}
		if a := h.get(t, "/api/analytics/timeseries?metric=players&group_by=tag:region&"+params, token); a.StatusCode != 200 {
			t.Fatalf("%s: %s", params, a.body)
		}
		series := h.queries.timeseries
		if series.GroupBy != "tag:region" || len(series.Groups) != 1 || !slices.Equal(series.Groups[0].Servers, want.Servers) || series.Selected != want.Selected {
			t.Errorf("%s: series %+v", params, series)
		}
	}
	p := h.get(t, "/api/analytics/timeseries?metric=players&tag=x&group=%20y&group_by=tag:", token).problem(t, 422, "invalid-request")
	if got := locations(p); !slices.Equal(got, []string{"query.group", "query.group_by", "query.tag"}) {
		t.Errorf("got %v", got)
	}
}

// An export of what fits no server is an empty file, not everything.
func TestExportSelects(t *testing.T) {
	h := openStored(t)
	token := h.token(t, ourLicense, auth.Admin)
	at := time.Now().Add(-time.Minute)
	schematest.InsertSamples(t, schematest.ClickHouse(t), []schema.Sample{sampleAt(ourLicense, "picked", at), sampleAt(ourLicense, "passed", at)})
	if a := h.send(t, "PATCH", "/api/analytics/servers/picked", token, `{"tags":{"pick":"me"}}`); a.StatusCode != 200 {
		t.Fatal(a.body)
	}
	a := h.get(t, "/api/analytics/export?range=1h&tag=pick:me", token)
	if a.StatusCode != 200 || !strings.Contains(a.body, "picked") || strings.Contains(a.body, "passed") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a = h.get(t, "/api/analytics/export?range=1h&tag=pick:nobody", token); a.StatusCode != 200 || strings.Count(a.body, "\n") != 1 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}
