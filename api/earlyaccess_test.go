package api

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/account"
	"corrosion/api/earlyaccess"
	"corrosion/api/mail"
	"corrosion/api/store"
)

// lobby is people with early access beside it.
type lobby struct {
	*people
	early *earlyaccess.Service
}

func openLobby(t *testing.T, change func(*earlyaccess.Config), wake func()) *lobby {
	t.Helper()
	l := &lobby{}
	var accounts account.Deps
	l.people = openPeopleWith(t, func(_ *account.Config, d *account.Deps) { accounts = *d }, func(_ *Config, d *Deps) {
		config := earlyaccess.DefaultConfig()
		config.Work = earlyaccess.Work{Puzzles: 4, Bits: 4}
		if change != nil {
			change(&config)
		}
		var err error
		l.early, err = earlyaccess.NewService(config, earlyaccess.Deps{
			Store: accounts.Store, Keys: accounts.Keys, Now: accounts.Now, Registerer: prometheus.NewRegistry(), Wake: wake,
		})
		if err != nil {
			t.Fatal(err)
		}
		d.EarlyAccess = l.early
	})
	return l
}

func (l *lobby) vote(method, item string, body any) answer {
	l.t.Helper()
	return l.send(method, roadmapPath+"/"+item+"/vote", "", body)
}

func TestEarlyAccess(t *testing.T) {
	l := openLobby(t, nil, nil)
	var status EarlyAccessBody
	l.get(t, earlyPath, "").ok(t, 200, &status)
	if status.Founding != (FoundingBody{Total: 25, Left: 25}) || status.Confirm || status.LaunchAt.Format(time.RFC3339) != "2027-02-28T00:00:00Z" {
		t.Errorf("got %+v", status)
	}
	var first, again JoinedBody
	l.post(earlyPath, "", object{"email": "Ada@Example.org", "server_count": 6}).ok(t, 201, &first)
	l.post(earlyPath, "", object{"email": "ada@example.ORG", "server_count": 6}).ok(t, 200, &again)
	if first != (JoinedBody{Status: "joined", Position: 1, Segment: "6-25"}) || again != first {
		t.Errorf("got %+v, then %+v", first, again)
	}
	var slot, same ClaimedBody
	l.post(earlyPath+"/founding", "", object{"email": "ada@example.org", "network_name": " North ", "server_count": 6}).ok(t, 201, &slot)
	l.post(earlyPath+"/founding", "", object{"email": "ada@example.org", "network_name": "North", "server_count": 6}).ok(t, 200, &same)
	if slot != (ClaimedBody{Status: "claimed", Slot: 1, Position: 1, Segment: "6-25"}) || same != slot {
		t.Errorf("got %+v, then %+v", slot, same)
	}
	for i := range 25 {
		body := object{"email": string(rune('a'+i)) + "@example.org", "network_name": "N", "server_count": 1}
		if i < 24 {
			l.post(earlyPath+"/founding", "", body).ok(t, 201, nil)
		} else {
			l.post(earlyPath+"/founding", "", body).problem(t, 409, "founding-full")
			var kept JoinedBody
			l.post(earlyPath, "", object{"email": body["email"], "server_count": 1}).ok(t, 200, &kept)
			if kept.Position != 26 {
				t.Errorf("on the waiting list at %d", kept.Position)
			}
		}
	}
	l.get(t, earlyPath, "").ok(t, 200, &status)
	if status.Founding != (FoundingBody{Total: 25, Taken: 25}) || status.Signups != 26 {
		t.Errorf("got %+v", status)
	}
}

func TestEarlyAccessFaults(t *testing.T) {
	l := openLobby(t, nil, nil)
	for _, test := range []struct {
		path, body string
		want       []string
	}{
		{earlyPath, `{}`, []string{"body.email", "body.server_count"}},
		{earlyPath, `{"email":"no","server_count":0,"more":1}`, []string{"body.email", "body.server_count", "body.more"}},
		{earlyPath, `{"email":"a@example.org","server_count":1000001}`, []string{"body.server_count"}},
		{earlyPath, `{"email":"a@example.org","server_count":"3"}`, []string{"body.server_count"}},
		{earlyPath, `{"email":"a@example.org","server_count":3,"proof":{"challenge":"x","nonces":[1]}}`, []string{"body.proof"}},
		{earlyPath + "/founding", `{"email":"a","network_name":"\u202e","server_count":-1}`, []string{"body.email", "body.network_name", "body.server_count"}},
		{earlyPath + "/confirm", `{}`, []string{"body.token"}},
	} {
		p := l.post(test.path, "", test.body).problem(t, 422, "invalid-request")
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Location)
		}
		for _, want := range test.want {
			if !strings.Contains(strings.Join(got, " ")+" ", want+" ") {
				t.Errorf("%s %s: %s is not among %v", test.path, test.body, want, got)
			}
		}
	}
	l.post(earlyPath+"?x=1", "", object{"email": "a@example.org", "server_count": 1}).problem(t, 422, "invalid-request")
	l.post(earlyPath+"/confirm", "", object{"token": "cre_nothing"}).problem(t, 410, "link-invalid")
	l.vote(http.MethodPut, "nothing", object{"email": "a@example.org"}).problem(t, 404, "not-found")
	l.vote(http.MethodPut, "alerts", object{"email": "a"}).problem(t, 422, "invalid-request")
}

func TestRoadmapVotes(t *testing.T) {
	l := openLobby(t, nil, nil)
	var roadmap RoadmapBody
	l.get(t, roadmapPath, "").ok(t, 200, &roadmap)
	if len(roadmap.Items) == 0 || len(roadmap.Timeline) == 0 || !roadmap.Timeline[len(roadmap.Timeline)-1].Launch {
		t.Fatalf("got %+v", roadmap)
	}
	for i, want := range []struct {
		method, email, status string
		votes                 int64
	}{
		{http.MethodPut, "ada@example.org", "voted", 1}, {http.MethodPut, "ADA@example.org", "voted", 1}, {http.MethodPut, "bo@example.org", "voted", 2},
		{http.MethodDelete, "ada@example.org", "removed", 1}, {http.MethodDelete, "ada@example.org", "removed", 1},
	} {
		var got CountedBody
		l.vote(want.method, "alerts", object{"email": want.email}).ok(t, 200, &got)
		if got != (CountedBody{ID: "alerts", Status: want.status, Votes: want.votes}) {
			t.Errorf("%d: got %+v", i, got)
		}
	}
}

// Robots run into the trap or out of free requests; a browser's proof goes on.
func TestRobots(t *testing.T) {
	l := openLobby(t, func(c *earlyaccess.Config) { c.Plain.Free = 2 }, nil)
	var trapped JoinedBody
	l.post(earlyPath, "", object{"email": "robot@example.org", "server_count": 1, "website": "https://spam.example"}).ok(t, 201, &trapped)
	l.post(earlyPath, "", object{"email": "ada@example.org", "server_count": 1}).ok(t, 201, nil)
	l.post(earlyPath, "", object{"email": "bo@example.org", "server_count": 1}).ok(t, 201, nil) // begins the wait
	refused := l.post(earlyPath, "", object{"email": "cy@example.org", "server_count": 1})
	refused.problem(t, 429, "proof-needed")
	if refused.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	var challenge ChallengeBody
	l.get(t, earlyPath+"/challenge", "").ok(t, 200, &challenge)
	proof := object{"challenge": challenge.Challenge, "nonces": earlyaccess.Solve(earlyaccess.Challenge{
		Text: challenge.Challenge, Work: earlyaccess.Work{Puzzles: challenge.Puzzles, Bits: challenge.Bits},
	})}
	l.post(earlyPath, "", object{"email": "cy@example.org", "server_count": 1, "proof": proof}).ok(t, 201, nil)
	l.post(earlyPath, "", object{"email": "di@example.org", "server_count": 1, "proof": proof}).problem(t, 422, "invalid-request")
	var status EarlyAccessBody
	l.get(t, earlyPath, "").ok(t, 200, &status)
	if status.Signups != 3 {
		t.Errorf("%d signups, want 3", status.Signups)
	}
}

// Where mail is sent, links in it confirm places, slots and votes.
func TestEarlyAccessByMail(t *testing.T) {
	box := &mailbox{}
	address := box.serve(t, "127.0.0.1:0")
	var worker *mail.Worker
	l := openLobby(t, func(c *earlyaccess.Config) { c.MailEnabled, c.PublicURL = true, "https://stats.example.org" }, func() { worker.Wake() })
	config, err := mail.ParseURL("smtp://" + address + "?tls=none&from=no-reply@example.org")
	if err != nil {
		t.Fatal(err)
	}
	sender, err := mail.NewSMTP(config)
	if err != nil {
		t.Fatal(err)
	}
	worker, err = mail.NewWorker(mail.DefaultWorkerConfig(), mail.WorkerDeps{
		Store: store.New(l.pool), Sender: sender, Renderers: l.early.Renderers(), Registerer: prometheus.NewRegistry(),
		Logger: slog.New(slog.DiscardHandler), Now: l.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	worker.Open()
	t.Cleanup(worker.Close)

	var slot ClaimedBody
	l.post(earlyPath+"/founding", "", object{"email": "ada@example.org", "network_name": "North", "server_count": 3}).ok(t, 201, &slot)
	if !slot.Confirm || slot.HeldUntil == nil {
		t.Errorf("got %+v", slot)
	}
	text := box.await(t, 1)
	if !strings.Contains(text, "Founding slot 1 is held for you") {
		t.Errorf("the mail says %s", text)
	}
	var done ConfirmedBody
	l.post(earlyPath+"/confirm", "", object{"token": tokenIn(t, text, "early-access/confirm")}).ok(t, 200, &done)
	if done.Purpose != "signup" || done.Slot == nil || *done.Slot != 1 || *done.Position != 1 {
		t.Errorf("got %+v", done)
	}
	var counted CountedBody
	l.vote(http.MethodPut, "alerts", object{"email": "ada@example.org"}).ok(t, 202, &counted)
	if counted.Status != "confirm" || counted.Votes != 0 {
		t.Errorf("got %+v", counted)
	}
	l.post(earlyPath+"/confirm", "", object{"token": tokenIn(t, box.await(t, 2), "early-access/confirm")}).ok(t, 200, &done)
	if done.Purpose != "vote" || *done.Item != "alerts" || *done.Votes != 1 {
		t.Errorf("got %+v", done)
	}
}

func TestEarlyAccessAdmin(t *testing.T) {
	l := openLobby(t, nil, nil)
	admin, err := account.CreateAdmin(t.Context(), l.pool, "root@example.org")
	if err != nil {
		t.Fatal(err)
	}
	var tokens TokensBody
	l.post(passwordPath, l.login("root@example.org", admin.Password).AccessToken, object{"current_password": admin.Password, "new_password": goodPassword}).ok(t, 200, &tokens)
	for i, servers := range []int{1, 3, 4, 200} {
		l.post(earlyPath, "", object{"email": string(rune('a'+i)) + "@example.org", "server_count": servers}).ok(t, 201, nil)
	}
	l.get(t, earlyAdminPath, l.signUp("ada@example.org").AccessToken).problem(t, 403, "forbidden")
	var list SignupList
	l.get(t, earlyAdminPath+"?segment=2-5&limit=1", tokens.AccessToken).ok(t, 200, &list)
	if len(list.Signups) != 1 || list.Signups[0].Email != "b@example.org" || list.Next == nil || len(list.Segments) != 5 || list.Segments[1].Signups != 2 {
		t.Fatalf("got %+v", list)
	}
	l.get(t, earlyAdminPath+"?segment=2-5&limit=1&cursor="+*list.Next, tokens.AccessToken).ok(t, 200, &list)
	if len(list.Signups) != 1 || list.Signups[0].Email != "c@example.org" || list.Next != nil {
		t.Errorf("got %+v", list)
	}
	l.get(t, earlyAdminPath+"?segment=7&limit=0&cursor=x&y=1", tokens.AccessToken).problem(t, 422, "invalid-request")
	file := l.get(t, earlyExportPath+"?segment=101%2B", tokens.AccessToken).ok(t, 200, nil)
	lines := strings.Split(file.body, "\r\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "4,d@example.org,200,101+,") || !strings.Contains(file.Header.Get("Content-Disposition"), `filename="early-access-101-or-more-`) {
		t.Errorf("got %q, %v", file.body, file.Header)
	}
	l.get(t, earlyExportPath+"?segment=7", tokens.AccessToken).problem(t, 422, "invalid-request")
	if l.audited("early-access.exported") != 1 {
		t.Error("the export is not in the audit log")
	}
	l.send(http.MethodDelete, earlyAdminPath+"/4", tokens.AccessToken, nil).ok(t, 204, nil)
	l.send(http.MethodDelete, earlyAdminPath+"/5", tokens.AccessToken, nil).problem(t, 404, "not-found")
	if l.audited("early-access.signup-erased") != 1 {
		t.Error("the erasing is not in the audit log")
	}
}
