package api

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/auth"
)

func TestSignUpAndIn(t *testing.T) {
	p := openPeople(t, nil)
	first := p.post(registerPath, "", object{"email": "Ada@Example.org", "password": goodPassword, "name": "Ada 李"}).ok(t, 202, nil)
	again := p.post(registerPath, "", object{"email": "ada@EXAMPLE.org", "password": "another password"}).ok(t, 202, nil)
	if first.body != again.body {
		t.Errorf("a taken email shows: %s and %s", first.body, again.body)
	}
	var tokens TokensBody
	a := p.post(loginPath, "", object{"email": "ADA@example.ORG", "password": goodPassword}).ok(t, 200, &tokens)
	cookie := a.Header.Get("Set-Cookie")
	if !regexp.MustCompile(`^corrosion_refresh=crr_[\w-]{43}; Path=/api/auth; Expires=[^;]+; HttpOnly; SameSite=Strict$`).MatchString(cookie) {
		t.Errorf("cookie %q", cookie)
	}
	if tokens.RefreshToken != "" || tokens.ExpiresIn != 900 || tokens.LicenseID != nil || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %+v, %v", tokens, a.Header)
	}
	var me MeBody
	p.get(t, mePath, tokens.AccessToken).ok(t, 200, &me)
	if me.Email != "Ada@example.org" || me.Name != "Ada 李" || me.Memberships == nil || me.LastLoginAt == nil {
		t.Errorf("got %+v", me)
	}
	p.get(t, "/api/analytics/summary", tokens.AccessToken).problem(t, 403, "no-license")
	kept, _, _ := strings.Cut(cookie, ";")
	a = p.post(refreshPath, "", nil, "Cookie", kept).ok(t, 200, &tokens)
	kept, _, _ = strings.Cut(a.Header.Get("Set-Cookie"), ";")
	gone := p.post(logoutPath, "", nil, "Cookie", kept).ok(t, 204, nil)
	if !strings.Contains(gone.Header.Get("Set-Cookie"), "corrosion_refresh=; ") || !strings.Contains(gone.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout leaves the cookie: %q", gone.Header.Get("Set-Cookie"))
	}
	p.post(refreshPath, "", nil, "Cookie", kept).problem(t, 401, "refresh-invalid")
	p.get(t, mePath, tokens.AccessToken).problem(t, 401, "session-ended")
	for _, action := range []string{"account.registration", "account.login", "session.logout"} {
		if p.audited(action) == 0 {
			t.Errorf("%s is not in the audit log", action)
		}
	}
}

func TestCookieOfAnotherSite(t *testing.T) {
	p := openPeople(t, nil)
	p.signUp("ada@example.org")
	in := object{"email": "ada@example.org", "password": goodPassword}
	cookie, _, _ := strings.Cut(p.post(loginPath, "", in).Header.Get("Set-Cookie"), ";")
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		p.post(refreshPath, "", nil, "Cookie", cookie, header[0], header[1]).problem(t, 403, "cross-site")
		p.post(logoutPath, "", nil, "Cookie", cookie, header[0], header[1]).problem(t, 403, "cross-site")
		p.post(loginPath, "", in, header[0], header[1]).problem(t, 403, "cross-site")
	}
	p.post(refreshPath, "", nil, "Cookie", cookie, "Origin", p.url, "Sec-Fetch-Site", "same-origin").ok(t, 200, nil)
}

func TestRefreshRotates(t *testing.T) {
	p := openPeople(t, nil)
	first := p.signUp("ada@example.org").RefreshToken
	var second, third TokensBody
	p.refresh(first).ok(t, 200, &second)
	p.refresh(second.RefreshToken).ok(t, 200, &third)
	// Its successor has been used, so the grace is over: somebody else has the token.
	p.refresh(first).problem(t, 401, "refresh-invalid")
	p.refresh(third.RefreshToken).problem(t, 401, "refresh-invalid")
	p.get(t, mePath, third.AccessToken).problem(t, 401, "session-ended")
	if p.audited("session.reuse-refused") != 1 {
		t.Error("the reuse is not in the audit log")
	}
	p.refresh("crr_rubbish").problem(t, 401, "refresh-invalid")
	p.refresh(auth.NewPassword()).problem(t, 401, "refresh-invalid")
}

func TestRefreshTwiceAtOnce(t *testing.T) {
	p := openPeople(t, nil)
	token := p.signUp("ada@example.org").RefreshToken
	tabs := make([]TokensBody, 4)
	var wg sync.WaitGroup
	for i := range tabs {
		wg.Go(func() { p.refresh(token).ok(t, 200, &tabs[i]) })
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, tab := range tabs {
		seen[tab.RefreshToken] = true
		p.get(t, mePath, tab.AccessToken).ok(t, 200, nil)
	}
	if len(seen) != len(tabs) {
		t.Errorf("a successor was given twice: %d of %d", len(seen), len(tabs))
	}
	p.clock.pass(time.Minute)
	p.refresh(tabs[0].RefreshToken).ok(t, 200, &tabs[0])
	p.clock.pass(time.Minute)
	p.refresh(tabs[1].RefreshToken).problem(t, 401, "refresh-invalid")
	p.refresh(tabs[0].RefreshToken).problem(t, 401, "refresh-invalid")
}

func TestRefreshAfterTheGrace(t *testing.T) {
	p := openPeople(t, nil)
	token := p.signUp("ada@example.org").RefreshToken
	p.refresh(token).ok(t, 200, nil)
	p.clock.pass(9 * time.Second)
	var lost TokensBody
	p.refresh(token).ok(t, 200, &lost)
	p.clock.pass(2 * time.Second)
	p.refresh(token).problem(t, 401, "refresh-invalid")
	p.refresh(lost.RefreshToken).problem(t, 401, "refresh-invalid")
}

func TestSessionExpires(t *testing.T) {
	p := openPeople(t, nil)
	idle, used := p.signUp("ada@example.org"), p.login("ada@example.org", goodPassword)
	for range 7 {
		p.clock.pass(29 * 24 * time.Hour)
		a := p.refresh(used.RefreshToken)
		if a.StatusCode == 200 {
			a.ok(t, 200, &used)
			continue
		}
		a.problem(t, 401, "refresh-invalid")
	}
	p.refresh(used.RefreshToken).problem(t, 401, "refresh-invalid")
	p.refresh(idle.RefreshToken).problem(t, 401, "refresh-invalid")
	p.get(t, mePath, used.AccessToken).problem(t, 401, "token-expired")
}

// Nothing in an answer, and no limit, tells whether an email has an account.
func TestLoginTellsNothing(t *testing.T) {
	p := openPeople(t, func(c *account.Config, _ *account.Deps) { c.Throttles.Address.Free = 1000 })
	p.signUp("ada@example.org")
	strip := regexp.MustCompile(`"request_id":"[^"]+"`)
	try := func(email, password string) (int, string, string) {
		a := p.post(loginPath, "", object{"email": email, "password": password})
		return a.StatusCode, strip.ReplaceAllString(a.body, ""), a.Header.Get("Retry-After")
	}
	for i := range 14 {
		status, body, retry := try("ada@example.org", "wrong password")
		otherStatus, otherBody, otherRetry := try("nobody@example.org", "wrong password")
		if status != otherStatus || body != otherBody || retry != otherRetry {
			t.Fatalf("try %d: %d %s %s and %d %s %s", i, status, body, retry, otherStatus, otherBody, otherRetry)
		}
		if want := 401; i < 10 && status != want {
			t.Fatalf("try %d: %d %s", i, status, body)
		}
	}
	if status, _, retry := try("ada@example.org", goodPassword); status != 429 || retry != "1" {
		t.Errorf("right password while slowed down: %d, Retry-After %s", status, retry)
	}
	p.clock.pass(time.Second)
	if status, body, _ := try("ada@example.org", goodPassword); status != 200 {
		t.Errorf("right password after waiting: %d %s", status, body)
	}
}

func TestDelaysGrowAndEnd(t *testing.T) {
	p := openPeople(t, func(c *account.Config, _ *account.Deps) { c.Throttles.Address.Free = 1000 })
	p.signUp("ada@example.org")
	wrong := object{"email": "ada@example.org", "password": "wrong password"}
	var waits []string
	for range 60 {
		a := p.post(loginPath, "", wrong)
		if a.StatusCode != 429 {
			continue
		}
		wait := a.Header.Get("Retry-After")
		waits = append(waits, wait)
		d, err := time.ParseDuration(wait + "s")
		if err != nil {
			t.Fatal(err)
		}
		p.clock.pass(d)
	}
	if got := strings.Join(waits[:12], " "); got != "1 2 4 8 16 32 64 128 256 512 900 900" {
		t.Errorf("waits %s", got)
	}
	p.login("ada@example.org", goodPassword)
}

func TestAddressIsSlowed(t *testing.T) {
	p := openPeople(t, func(c *account.Config, _ *account.Deps) { c.Throttles.Address.Free = 5 })
	p.signUp("ada@example.org")
	for i := range 6 {
		p.post(loginPath, "", object{"email": "user" + string(rune('a'+i)) + "@example.org", "password": "wrong password"}).problem(t, 401, "credentials-invalid")
	}
	p.post(loginPath, "", object{"email": "fresh@example.org", "password": "wrong password"}).problem(t, 429, "too-many-tries")
	p.clock.pass(2 * time.Second)
	p.login("ada@example.org", goodPassword)
}

// Many tries at once are counted before any of them is looked at.
func TestTriesAtOnceCount(t *testing.T) {
	p := openPeople(t, func(c *account.Config, _ *account.Deps) { c.Throttles.Address.Free = 1000 })
	p.signUp("ada@example.org")
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			a := p.post(loginPath, "", object{"email": "ada@example.org", "password": "wrong password"})
			mu.Lock()
			defer mu.Unlock()
			statuses[a.StatusCode]++
		})
	}
	wg.Wait()
	if statuses[401] != 11 || statuses[429] != 29 {
		t.Errorf("got %v; want 10 free tries, one more, and the rest slowed", statuses)
	}
}

func TestSessions(t *testing.T) {
	p := openPeople(t, nil)
	here := p.signUp("ada@example.org")
	var there, elsewhere TokensBody
	in := object{"email": "ada@example.org", "password": goodPassword, "delivery": "body"}
	p.post(loginPath, "", in, "User-Agent", "Lynx/2.8").ok(t, 200, &there)
	p.post(loginPath, "", in).ok(t, 200, &elsewhere)
	stranger := p.signUp("bob@example.org")
	var list SessionsBody
	p.get(t, sessionsPath, there.AccessToken).ok(t, 200, &list)
	var own uuid.UUID
	for _, s := range list.Sessions {
		if s.Current {
			own = s.SessionID
			if s.UserAgent != "Lynx/2.8" || s.Address != "127.0.0.1" {
				t.Errorf("got %+v", s)
			}
		}
	}
	if len(list.Sessions) != 3 || own == uuid.Nil {
		t.Fatalf("got %+v", list)
	}
	path := sessionsPath + "/" + own.String()
	p.send(http.MethodDelete, path, stranger.AccessToken, nil).problem(t, 404, "not-found")
	p.send(http.MethodDelete, path, here.AccessToken, nil).ok(t, 204, nil)
	p.send(http.MethodDelete, path, here.AccessToken, nil).problem(t, 404, "not-found")
	p.send(http.MethodDelete, sessionsPath+"/x", here.AccessToken, nil).problem(t, 404, "not-found")
	p.refresh(there.RefreshToken).problem(t, 401, "refresh-invalid")
	var ended EndedBody
	p.send(http.MethodDelete, sessionsPath, here.AccessToken, nil).ok(t, 200, &ended)
	if ended.Ended != 1 {
		t.Errorf("%d others were ended, want 1", ended.Ended)
	}
	p.refresh(elsewhere.RefreshToken).problem(t, 401, "refresh-invalid")
	p.refresh(here.RefreshToken).ok(t, 200, nil)
	p.refresh(stranger.RefreshToken).ok(t, 200, nil)
}

func TestSwitchLicense(t *testing.T) {
	p := openPeople(t, nil)
	p.signUp("ada@example.org")
	p.signUp("bob@example.org")
	viewed, owned, theirs := p.license("ada@example.org", "viewer"), p.license("ada@example.org", "owner"), p.license("bob@example.org", "owner")
	tokens := p.login("ada@example.org", goodPassword)
	if tokens.LicenseID == nil || *tokens.LicenseID != owned || *tokens.Role != auth.Owner {
		t.Errorf("the first token speaks for %v", tokens.LicenseID)
	}
	var other TokensBody
	p.post(tokenPath, tokens.AccessToken, object{"license_id": viewed}).ok(t, 200, &other)
	if *other.LicenseID != viewed || *other.Role != auth.Viewer || other.RefreshToken != "" {
		t.Errorf("got %+v", other)
	}
	p.refresh(tokens.RefreshToken).ok(t, 200, &other)
	if *other.LicenseID != viewed {
		t.Errorf("the refreshed token speaks for %v", other.LicenseID)
	}
	p.post(tokenPath, tokens.AccessToken, object{"license_id": theirs}).problem(t, 404, "not-found")
	p.post(loginPath, "", object{"email": "ada@example.org", "password": goodPassword, "license_id": theirs}).problem(t, 404, "not-found")
	if _, err := p.pool.Exec(t.Context(), "DELETE FROM license_members WHERE license_id = $1", viewed); err != nil {
		t.Fatal(err)
	}
	p.refresh(other.RefreshToken).ok(t, 200, &other)
	if *other.LicenseID != owned {
		t.Errorf("a member no more, and still the token speaks for %v", other.LicenseID)
	}
	script := p.token(t, owned, auth.Owner)
	p.get(t, mePath, script).problem(t, 403, "account-needed")
	p.get(t, "/api/admin/jobs", other.AccessToken).problem(t, 403, "forbidden")
}

func TestAccountBodies(t *testing.T) {
	p := openPeople(t, nil)
	f := func(path, body string, status int, code string, locations ...string) {
		t.Helper()
		a := p.post(path, "", body)
		got := a.problem(t, status, code)
		found := map[string]int{}
		for _, e := range got.Errors {
			found[e.Location]++
		}
		for _, want := range locations {
			if found[want] != 1 {
				t.Errorf("%.60s: fault of %s stands %d times in %s", body, want, found[want], a.body)
			}
		}
		if len(locations) != len(found) || strings.Contains(a.body, "hunter2") {
			t.Errorf("%.60s: got %s", body, a.body)
		}
	}
	f(registerPath, `{"email":"x","password":"hunter2","name":"a\u0000b","admin":true}`, 422, "invalid-request", "body.email", "body.password", "body.name", "body.admin")
	f(registerPath, `{"password":"hunter2hunter2"}`, 422, "invalid-request", "body.email")
	f(registerPath, `{"email":["hunter2"],"password":7}`, 422, "invalid-request", "body.email", "body.password")
	f(loginPath, `{"email":"no address","password":"hunter2","delivery":"pigeon","license_id":"x"}`, 422, "invalid-request", "body.email", "body.delivery", "body.license_id")
	f(loginPath+"?token=1", `{"email":"a@b.org","password":"hunter2"}`, 422, "invalid-request", "query.token")
	f(loginPath, `{"email":`, 400, "malformed-request", "body")
	f(loginPath, `[]`, 422, "invalid-request", "body")
	f(loginPath, ``, 400, "malformed-request")
	f(loginPath, strings.Repeat("[", 15000), 400, "malformed-request", "body")
	f(loginPath, `{"email":"`+strings.Repeat("x", 20000)+`"}`, 413, "too-large")
	p.post(loginPath, "", `{"email":"a@b.org","password":"x"}`, "Content-Type", "text/plain").problem(t, 415, "media-type")
	p.post(loginPath, "", `email=a@b.org&password=x`, "Content-Type", "application/x-www-form-urlencoded").problem(t, 415, "media-type")
	p.post(registerPath, "", object{"email": "ada@example.org", "password": "ada@example.org"}).problem(t, 422, "invalid-request")
}

// Every account route that is not public refuses what is not a live session of a person, whatever else it is sent.
func TestAccountMatrix(t *testing.T) {
	p := openPeople(t, nil)
	ended := p.signUp("ada@example.org")
	p.post(logoutPath, "", object{"refresh_token": ended.RefreshToken}).ok(t, 204, nil)
	public := map[string]bool{registerPath: true, confirmPath: true, loginPath: true, refreshPath: true, logoutPath: true, resetPath: true, resetConfirmPath: true,
		acceptPath: true, invitedPath: true}
	private := 0
	for _, operation := range documentedOperations(t, p.harness) {
		method, path, _ := strings.Cut(operation, " ")
		if !strings.HasPrefix(path, accountPrefix) {
			continue
		}
		if public[path] {
			delete(public, path)
			continue
		}
		private++
		path = strings.ReplaceAll(path, "{id}", uuid.NewString())
		p.send(method, path, "", nil).problem(t, 401, "unauthenticated")
		p.send(method, path, "rubbish", nil).problem(t, 401, "token-invalid")
		p.send(method, path, algNone(t), nil).problem(t, 401, "token-invalid")
		p.send(method, path, otherKeys(t), nil).problem(t, 401, "token-invalid")
		p.send(method, path, p.expired(t), nil).problem(t, 401, "token-expired")
		p.send(method, path, p.token(t, ourLicense, auth.Owner), nil).problem(t, 403, "account-needed")
		p.send(method, path, ended.AccessToken, nil).problem(t, 401, "session-ended")
	}
	if private < 10 || len(public) > 0 {
		t.Errorf("%d private routes; public ones that are missing: %v", private, public)
	}
}
