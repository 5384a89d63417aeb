package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/account"
)

func TestAPIKeys(t *testing.T) {
	p := openPeople(t, nil)
	owner, made := p.owner("ada@example.org")
	var key MadeKeyBody
	a := p.post(keysPath, owner.AccessToken, object{"name": "nightly 夜", "scopes": []string{"read:analytics", "read:license"}, "expires_in_days": 30}).ok(t, 201, &key)
	if !regexp.MustCompile(`^ck_[\w-]{43}$`).MatchString(key.Key) || key.Prefix != key.Key[:11] || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %+v, %v", key, a.Header)
	}
	var license LicenseBody
	p.get(t, licensePath, key.Key).ok(t, 200, &license)
	if license.LicenseID != made.LicenseID || license.Role != nil {
		t.Errorf("got %+v", license)
	}
	p.get(t, "/api/analytics/summary", key.Key).ok(t, 200, nil)
	if got := p.queries.summary.License; got != made.LicenseID {
		t.Errorf("asked for %s", got)
	}
	p.get(t, "/api/analytics/export?range=1h", key.Key).problem(t, 403, "scope-needed")
	p.send(http.MethodPost, "/api/analytics/servers", key.Key, object{"server_id": "x"}).problem(t, 403, "scope-needed")
	for _, path := range []string{membersPath, keysPath, natsUsersPath, "/api/no/such/thing"} {
		p.get(t, path, key.Key).problem(t, 403, "scope-needed")
	}
	p.get(t, mePath, key.Key).problem(t, 403, "account-needed")
	p.post(licensesPath, key.Key, object{"name": "x"}).problem(t, 403, "account-needed")
	for _, wrong := range []string{key.Key[:45], key.Key + "A", "ck_", strings.Replace(key.Key, "ck_", "cr_", 1), strings.ToUpper(key.Key)} {
		p.get(t, licensePath, wrong).problem(t, 401, "token-invalid")
	}
	if got := p.get(t, licensePath, key.Key).Header.Get("RateLimit-Policy"); !strings.HasPrefix(got, `"token"`) {
		t.Errorf("limited by %s", got)
	}
	if strings.Contains(p.log.String(), key.Key) || strings.Contains(p.get(t, keysPath, owner.AccessToken).body, key.Key) {
		t.Error("the key shows in the log or in the list")
	}
	var stored int
	if err := p.pool.QueryRow(t.Context(), "SELECT count(*) FROM api_keys k WHERE k::text LIKE '%' || $1 || '%'", key.Key).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("the key itself is stored: %d, %v", stored, err)
	}
	p.endsKey(t, owner.AccessToken, key)
}

// endsKey revokes a key and lets another one expire.
func (p *people) endsKey(t *testing.T, token string, key MadeKeyBody) {
	t.Helper()
	p.send(http.MethodDelete, keysPath+"/"+key.KeyID.String(), token, nil).ok(t, 204, nil)
	p.get(t, licensePath, key.Key).problem(t, 401, "token-invalid")
	p.send(http.MethodDelete, keysPath+"/"+key.KeyID.String(), token, nil).problem(t, 404, "not-found")
	var short MadeKeyBody
	p.post(keysPath, token, object{"name": "short", "scopes": []string{"read:license"}, "expires_in_days": 1}).ok(t, 201, &short)
	// Another process's answer to the same key: it was revoked here, and is remembered there for two seconds at most.
	if _, err := p.pool.Exec(t.Context(), "UPDATE api_keys SET revoked_at = now(), revoked_for = 'revoked' WHERE id = $1", short.KeyID); err != nil {
		t.Fatal(err)
	}
	p.get(t, licensePath, short.Key).problem(t, 401, "token-invalid")
	p.post(keysPath, token, object{"name": "short", "scopes": []string{"read:license"}, "expires_in_days": 1}).ok(t, 201, &short)
	p.get(t, licensePath, short.Key).ok(t, 200, nil)
	if _, err := p.pool.Exec(t.Context(), "UPDATE api_keys SET revoked_at = now(), revoked_for = 'revoked' WHERE id = $1", short.KeyID); err != nil {
		t.Fatal(err)
	}
	p.clock.pass(2 * time.Second)
	p.get(t, licensePath, short.Key).problem(t, 401, "token-invalid")
	p.post(keysPath, token, object{"name": "short", "scopes": []string{"read:license"}, "expires_in_days": 1}).ok(t, 201, &short)
	p.get(t, licensePath, short.Key).ok(t, 200, nil)
	p.clock.pass(24*time.Hour - 2*time.Second)
	p.get(t, licensePath, short.Key).ok(t, 200, nil)
	p.clock.pass(2 * time.Second)
	p.get(t, licensePath, short.Key).problem(t, 401, "token-invalid")
	for _, action := range []string{"key.created", "key.revoked"} {
		if p.audited(action) == 0 {
			t.Errorf("%s is not in the audit log", action)
		}
	}
}

func TestNATSUsers(t *testing.T) {
	p := openPeople(t, nil)
	owner, made := p.owner("ada@example.org")
	token := owner.AccessToken
	p.post(natsUsersPath, token, object{}).problem(t, 409, "agent-exists")
	var agent, rotated account.NATSCredentials
	p.post(natsUsersPath, token, object{"server_id": "eu-1"}).ok(t, 201, &agent)
	p.post(natsUsersPath, token, object{"server_id": "eu-1"}).problem(t, 409, "agent-exists")
	p.post(natsUsersPath+"/"+agent.NATSUser+"/rotate", token, nil).ok(t, 200, &rotated)
	if rotated.NATSPassword == agent.NATSPassword || rotated.ServerID != "eu-1" || rotated.PreviousUntil != nil {
		t.Errorf("got %+v", rotated)
	}
	p.post(natsUsersPath+"/"+made.NATSUser+"/rotate", token, object{"overlap": "1h"}).ok(t, 200, &rotated)
	if rotated.PreviousUntil == nil || rotated.NATSPassword == made.NATSPassword {
		t.Errorf("got %+v", rotated)
	}
	var users NATSUsersBody
	a := p.get(t, natsUsersPath, token).ok(t, 200, &users)
	if len(users.NATSUsers) != 2 || users.NATSUsers[0].Kind != "server" || *users.NATSUsers[1].ServerID != "eu-1" || users.NATSUsers[0].RotatedAt == nil {
		t.Errorf("got %s", a.body)
	}
	p.send(http.MethodDelete, natsUsersPath+"/"+made.NATSUser, token, nil).ok(t, 204, nil)
	p.post(natsUsersPath, token, object{}).ok(t, 201, &rotated)
	p.send(http.MethodDelete, natsUsersPath+"/"+agent.NATSUser, token, nil).ok(t, 204, nil)
	p.send(http.MethodDelete, natsUsersPath+"/"+agent.NATSUser, token, nil).problem(t, 404, "not-found")
	for _, action := range []string{"nats-user.created", "nats-user.rotated", "nats-user.revoked"} {
		if p.audited(action) == 0 {
			t.Errorf("%s is not in the audit log", action)
		}
	}
}

// The demo network's viewer is published: it may look and change nothing, its own account neither.
func TestPublishedViewerChangesNothing(t *testing.T) {
	p := openPeople(t, nil)
	if _, err := account.EnsureDemo(t.Context(), p.pool); err != nil {
		t.Fatal(err)
	}
	token := p.login("demo@corrosion.local", "demo").AccessToken
	p.get(t, mePath, token).ok(t, 200, nil)
	p.get(t, membersPath, token).ok(t, 200, nil)
	p.post(leavePath, token, nil).problem(t, 403, "forbidden")
	p.post(licensesPath, token, object{"name": "x"}).problem(t, 403, "forbidden")
	p.post(passwordPath, token, object{"current_password": "demo", "new_password": goodPassword}).problem(t, 403, "forbidden")
	p.post(totpPath, token, object{"password": "demo"}).problem(t, 403, "forbidden")
	p.send(http.MethodDelete, sessionsPath, token, nil).problem(t, 403, "forbidden")
	p.post(tokenPath, token, object{"license_id": account.DemoLicense}).ok(t, 200, nil)
	p.post(logoutPath, token, nil).ok(t, 204, nil)
}

// Every fault of a body is listed at once, with its location.
func TestTeamFaults(t *testing.T) {
	p := openPeople(t, nil)
	owner, _ := p.owner("ada@example.org")
	f := func(method, path string, body any, locations ...string) {
		t.Helper()
		problem := p.send(method, path, owner.AccessToken, body).problem(t, 422, "invalid-request")
		var got []string
		for _, e := range problem.Errors {
			got = append(got, e.Location)
		}
		if strings.Join(got, " ") != strings.Join(locations, " ") {
			t.Errorf("%s %v: faults at %v, want %v", path, body, got, locations)
		}
	}
	f("POST", licensesPath, object{}, "body.name")
	f("POST", licensesPath, object{"name": "a\nb", "license_id": uuid.NewString()}, "body.license_id", "body.name")
	f("PATCH", licensePath, object{"name": strings.Repeat("é", 201)}, "body.name")
	f("POST", invitationsPath, object{"email": "nobody", "role": "king"}, "body.role", "body.email")
	f("POST", invitationsPath, object{}, "body.email", "body.role")
	f("POST", keysPath, object{"name": "\u202e", "scopes": []string{"export", "all", "export"}, "expires_in_days": 0}, "body.expires_in_days", "body.name", "body.scopes[1]", "body.scopes[2]")
	f("POST", keysPath, object{"name": "x", "scopes": []string{}}, "body.scopes")
	f("POST", natsUsersPath, object{"server_id": "stats"}, "body.server_id")
	f("POST", natsUsersPath+"/x/rotate", object{"overlap": "721h"}, "body.overlap")
	f("POST", transferPath, object{"account_id": "x"}, "body.account_id", "body.password")
	f("POST", licensesPath+"?name=x", object{"name": "x"}, "query.name")
	for _, text := range []string{"'; DROP TABLE licenses; --", "<script>alert(1)</script>", "../../etc/passwd", "{{7*7}}", "%00", "👩‍👩‍👧 עברית العربية"} {
		var made MadeLicenseBody
		p.post(licensesPath, owner.AccessToken, object{"name": text}).ok(t, 201, &made)
		if made.Name != text {
			t.Errorf("%q became %q", text, made.Name)
		}
		for _, path := range []string{membersPath, invitationsPath, keysPath, natsUsersPath} {
			a := p.send(http.MethodDelete, path+"/"+strings.NewReplacer("%", "%25", "/", "%2F", " ", "%20", "<", "%3C", ">", "%3E", "{", "%7B", "}", "%7D", "'", "%27").Replace(text), owner.AccessToken, nil)
			a.problem(t, 404, "not-found")
		}
	}
	deep := strings.Repeat(`{"name":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	if a := p.post(licensesPath, owner.AccessToken, deep); a.StatusCode < 400 || a.StatusCode >= 500 {
		t.Errorf("nested JSON: %d", a.StatusCode)
	}
	if !json.Valid([]byte(p.get(t, licensesPath, owner.AccessToken).body)) {
		t.Error("the list is not JSON")
	}
}

// When a key was used stands in the list once the service has written it down, which its end does too.
func TestKeyUseIsWrittenDown(t *testing.T) {
	p := openPeople(t, nil)
	owner, _ := p.owner("ada@example.org")
	var key MadeKeyBody
	p.post(keysPath, owner.AccessToken, object{"name": "used", "scopes": []string{"read:license"}}).ok(t, 201, &key)
	used := func() *time.Time {
		t.Helper()
		var listed struct {
			Keys []struct {
				LastUsedAt *time.Time `json:"last_used_at"`
			}
		}
		p.get(t, keysPath, owner.AccessToken).ok(t, 200, &listed)
		if len(listed.Keys) != 1 {
			t.Fatalf("%d keys", len(listed.Keys))
		}
		return listed.Keys[0].LastUsedAt
	}
	if at := used(); at != nil {
		t.Errorf("never used, but at %s", at)
	}
	now := p.clock.Now()
	p.get(t, licensePath, key.Key).ok(t, 200, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.service.Run(ctx, slog.New(slog.DiscardHandler))
	if at := used(); at == nil || at.Before(now.Add(-time.Second)) || at.After(p.clock.Now().Add(time.Second)) {
		t.Errorf("used at %v, want %s", at, now)
	}
}
