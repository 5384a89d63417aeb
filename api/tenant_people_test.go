package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// accountsOn is a service of accounts that many tests may wear out.
func accountsOn(t testing.TB, pool *pgxpool.Pool, keys *auth.Keys) *account.Service {
	t.Helper()
	hasher, err := auth.NewHasher(cheap())
	if err != nil {
		t.Fatal(err)
	}
	cfg := account.DefaultConfig()
	many := account.Throttle{Free: 10_000, First: time.Second, Longest: time.Minute, Forget: time.Hour}
	cfg.Throttles = account.Throttles{Account: many, Address: many, Signup: many, Mail: many}
	cfg.MaxKeys, cfg.MaxInvitations = 10_000, 10_000
	service, err := account.NewService(cfg, account.Deps{Store: store.New(pool), Keys: keys, Hasher: hasher})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// somebody is an account with a session.
type somebody struct {
	account, session uuid.UUID
	email, token     string
}

// join makes an account with goodPassword, a member of license unless role is "", who has signed in.
func (h *harness) join(t testing.TB, license uuid.UUID, role auth.Role) somebody {
	t.Helper()
	id, q := uuid.Must(uuid.NewV7()), pg.New(h.pool)
	who := somebody{account: id, session: uuid.Must(uuid.NewV7()), email: id.String() + "@example.org"}
	hash, err := auth.HashFixedPassword(goodPassword, cheap().Params)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.CreateUser(t.Context(), pg.CreateUserParams{ID: id, Email: who.email, EmailKey: who.email, Name: string(role), PasswordHash: hash}); err != nil {
		t.Fatal(err)
	}
	session := pg.CreateSessionParams{ID: who.session, UserID: id, Now: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	if role != "" && license != erased {
		session.LicenseID = &license
		if err := q.AddMember(t.Context(), pg.AddMemberParams{LicenseID: license, UserID: id, Role: string(role)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.CreateSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	identity := auth.Identity{Subject: id.String(), Session: who.session}
	if role != "" {
		identity.License, identity.Role = license, role
	}
	if who.token, err = h.deps.Keys.Issue(identity, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	return who
}

// person is the token of a new member.
func (h *harness) person(t testing.TB, license uuid.UUID, role auth.Role) string {
	t.Helper()
	return h.join(t, license, role).token
}

// endedSession is the token of an owner who has signed out.
func (h *harness) endedSession(t testing.TB) string {
	t.Helper()
	who := h.join(t, ourLicense, auth.Owner)
	_, err := pg.New(h.pool).RevokeSession(t.Context(), pg.RevokeSessionParams{Now: time.Now(), RevokedFor: "logout", ID: who.session, UserID: who.account})
	if err != nil {
		t.Fatal(err)
	}
	return who.token
}

// key is an API key of a license.
func (h *harness) key(t testing.TB, license uuid.UUID, scopes ...auth.Scope) string {
	t.Helper()
	who := h.join(t, license, auth.Admin)
	made, err := h.deps.Accounts.MakeKey(t.Context(), account.Person{Account: who.account, Session: who.session, License: license}, account.NewKey{Name: "test", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return made.Key
}

// fingerprint is of everything that is written of our license, the audit log aside; "" where there is no database.
func (h *harness) fingerprint(t testing.TB) (sum string) {
	t.Helper()
	if h.pool == nil {
		return ""
	}
	err := h.pool.QueryRow(t.Context(), `SELECT coalesce(md5(string_agg(x, '' ORDER BY x)), '') FROM (
		SELECT m::text AS x FROM license_members m WHERE license_id = $1 UNION ALL SELECT i::text FROM invitations i WHERE license_id = $1
		UNION ALL SELECT k::text FROM api_keys k WHERE license_id = $1 UNION ALL SELECT n::text FROM nats_users n WHERE license_id = $1
		UNION ALL SELECT s::text FROM servers s WHERE license_id = $1 UNION ALL SELECT s::text FROM sessions s WHERE license_id = $1
		UNION ALL SELECT l::text FROM licenses l WHERE id = $1) AS rows`, ourLicense).Scan(&sum)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// checkMembers asks a person's route as who is none, as one who has signed out, and as one whose role has been taken.
func (r tenantRoute) checkMembers(t *testing.T, h *harness, method string) {
	t.Helper()
	r.refused(t, h, method, "a script", h.token(t, ourLicense, auth.Owner), "", 403, "account-needed")
	r.refused(t, h, method, "signed out", h.endedSession(t), "", 401, "session-ended")
	r.refused(t, h, method, "no license", h.person(t, ourLicense, ""), "", 403, "no-license")
	var all []auth.Scope
	for scope := range auth.Scopes() {
		all = append(all, scope)
	}
	r.refused(t, h, method, "a key", h.key(t, ourLicense, all...), "", 403, "scope-needed")
	left := h.join(t, ourLicense, auth.Owner)
	if _, err := h.pool.Exec(t.Context(), "DELETE FROM license_members WHERE user_id = $1", left.account); err != nil {
		t.Fatal(err)
	}
	r.refused(t, h, method, "who has left", left.token, "", 403, "forbidden")
	if r.least == auth.Viewer {
		return
	}
	lowered := h.join(t, ourLicense, auth.Owner)
	if _, err := h.pool.Exec(t.Context(), "UPDATE license_members SET role = 'viewer' WHERE user_id = $1", lowered.account); err != nil {
		t.Fatal(err)
	}
	r.refused(t, h, method, "whose token says more than they may", lowered.token, "", 403, "forbidden")
}

// checkAccount asks a route of every account.
func (r tenantRoute) checkAccount(t *testing.T, h *harness, method string) {
	t.Helper()
	r.refused(t, h, method, "a script", h.token(t, ourLicense, auth.Owner), "", 403, "account-needed")
	r.refused(t, h, method, "signed out", h.endedSession(t), "", 401, "session-ended")
	r.refused(t, h, method, "a key", h.key(t, ourLicense, auth.ReadAnalytics), "", 403, "account-needed")
	for name, token := range map[string]string{
		"owner": h.person(t, ourLicense, auth.Owner), "no license": h.person(t, ourLicense, ""), "a suspended license": h.person(t, suspended, auth.Viewer),
	} {
		a := r.ask(t, h, method, token, "")
		if want := max(r.status, 200); a.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", name, a.StatusCode, a.body, want)
		}
	}
}

// checkKeys asks with API keys: with the scope that the document names, without it, and of other licenses.
func (r tenantRoute) checkKeys(t *testing.T, h *harness, method string) {
	t.Helper()
	needed := neededScope(method, r.path)
	var others []auth.Scope
	for scope := range auth.Scopes() {
		if scope != needed {
			others = append(others, scope)
		}
	}
	r.refused(t, h, method, "a key without the scope", h.key(t, ourLicense, others...), "", 403, "scope-needed")
	if needed == "" {
		return
	}
	r.refused(t, h, method, "a key of a suspended license", h.key(t, suspended, needed), "", 403, "license-suspended")
	if a := r.ask(t, h, method, h.key(t, ourLicense, needed), ""); a.StatusCode >= 400 || a.err != nil || !strings.Contains(a.body, r.own) {
		t.Errorf("a key with %s: %d %s %v", needed, a.StatusCode, a.body, a.err)
	}
	if a := r.ask(t, h, method, h.key(t, theirLicense, needed), ""); r.own != "" && strings.Contains(a.body, r.own) {
		t.Errorf("another license's key reads ours: %s", a.body)
	}
}

// accountRoutes are the lines of the tenant matrix about accounts.
func accountRoutes() map[string]tenantRoute {
	const proof = `{"password":"` + goodPassword + `"`
	return map[string]tenantRoute{
		"POST /api/auth/register":               {call: registerPath, body: `{"email":"{id}@example.org",` + proof[1:] + `}`, fresh: freshName, public: true, status: 202},
		"POST /api/auth/email/confirm":          {call: confirmPath, body: `{"token":"x",` + proof[1:] + `}`, public: true, status: 410},
		"POST /api/auth/login":                  {call: loginPath, body: `{"email":"{id}",` + proof[1:] + `}`, fresh: freshEmail, public: true, status: 200},
		"POST /api/auth/refresh":                {call: refreshPath, body: `{"refresh_token":"x"}`, public: true, status: 401},
		"POST /api/auth/logout":                 {call: logoutPath, body: `{"refresh_token":"x"}`, public: true, status: 204},
		"POST /api/auth/password/reset":         {call: resetPath, body: `{"email":"{id}@example.org"}`, fresh: freshName, public: true, status: 202},
		"POST /api/auth/password/reset/confirm": {call: resetConfirmPath, body: `{"token":"x","new_password":"` + goodPassword + `"}`, public: true, status: 410},
		"GET /api/auth/me":                      {call: mePath, account: true},
		"POST /api/auth/token":                  {call: tokenPath, body: `{"license_id":"` + uuid.NewString() + `"}`, account: true, status: 404},
		"POST /api/auth/password":               {call: passwordPath, body: `{"current_password":"` + goodPassword + `","new_password":"another one entirely"}`, account: true},
		"GET /api/auth/sessions":                {call: sessionsPath, account: true},
		"DELETE /api/auth/sessions":             {call: sessionsPath, account: true},
		"DELETE /api/auth/sessions/{id}":        {call: sessionsPath + "/{id}", fresh: freshSession, account: true, status: 404},
		"POST /api/auth/totp":                   {call: totpPath, body: proof + `}`, account: true},
		"POST /api/auth/totp/confirm":           {call: totpPath + "/confirm", body: `{"code":"123456"}`, account: true, status: 409},
		"POST /api/auth/totp/disable":           {call: totpPath + "/disable", body: proof + `,"code":"123456"}`, account: true, status: 409},
		"POST /api/auth/totp/recovery-codes":    {call: totpPath + "/recovery-codes", body: proof + `,"code":"123456"}`, account: true, status: 409},
		"POST /api/auth/invitations/look":       {call: invitedPath, body: `{"token":"x"}`, public: true, status: 410},
		"POST /api/auth/invitations/accept":     {call: acceptPath, body: `{"token":"x",` + proof[1:] + `}`, open: true, status: 410},
		"GET /api/licenses/erasures/{id}":       {call: erasuresPath + "/{id}", fresh: func(*testing.T, *harness) string { return uuid.NewString() }, account: true, status: 404},
		"GET /api/licenses":                     {call: licensesPath, account: true},
		"POST /api/licenses":                    {call: licensesPath, body: `{"name":"{id}"}`, fresh: freshName, account: true, status: 201},
	}
}

func freshEmail(t *testing.T, h *harness) string { return h.join(t, ourLicense, "").email }

// freshSession is somebody else's.
func freshSession(t *testing.T, h *harness) string {
	return h.join(t, ourLicense, auth.Owner).session.String()
}
