package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"corrosion/api/auth"
	"corrosion/api/events"
	"corrosion/api/live"
	"corrosion/api/registry"
	"corrosion/deploy/local/localtest"
	"corrosion/schema"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// tenantRoute says how a route treats askers. Every operation of the OpenAPI document needs an entry.
type tenantRoute struct {
	// path is the template, which TestTenantMatrix fills in; call is a good request.
	path, call string
	// public routes answer without a token, and the same with any.
	public bool
	// open routes answer without a token; one that is sent must be a person's.
	open bool
	// status is what a public route answers whatever the token is, and other routes whom they let in; 0 is a good answer.
	status int
	// person routes are for members who have signed in: tokens of scripts and API keys will not do. account routes ask for
	// no license.
	person, account bool
	// platform routes are for persons who administer the platform, whatever their license.
	platform bool
	// least is the role that a private route asks for.
	least auth.Role
	// body is that of a good request.
	body string
	// fresh makes something of ourLicense whose id takes the place of {id} in call and body, anew for each request.
	fresh func(*testing.T, *harness) string
	// own must stand in the answer to the asker's token, and must not in that to another license's.
	own string
}

// tenantMatrix is the table. "ours" is the name of a server of ourLicense alone.
func tenantMatrix() map[string]tenantRoute {
	return map[string]tenantRoute{
		"GET /api/analytics/summary":                        {call: "/api/analytics/summary", least: auth.Viewer},
		"GET /api/analytics/timeseries":                     {call: "/api/analytics/timeseries?metric=players", least: auth.Viewer, own: ourLicense.String()},
		"GET /api/analytics/ingest":                         {call: "/api/analytics/ingest?range=1h", least: auth.Viewer, own: ourLicense.String()},
		"GET /api/analytics/export":                         {call: "/api/analytics/export?range=1h", least: auth.Viewer, own: "ours"},
		"GET /api/analytics/servers":                        {call: "/api/analytics/servers", least: auth.Viewer, own: "ours"},
		"POST /api/analytics/servers":                       {call: "/api/analytics/servers", body: `{"server_id":"{id}"}`, fresh: freshName, least: auth.Admin},
		"GET /api/analytics/servers/{server_id}":            {call: "/api/analytics/servers/ours", least: auth.Viewer, own: `"server_id":"ours"`},
		"PUT /api/analytics/servers/{server_id}":            {call: "/api/analytics/servers/ours", body: `{"name":"Ours"}`, least: auth.Admin, own: `"server_id":"ours"`},
		"PATCH /api/analytics/servers/{server_id}":          {call: "/api/analytics/servers/ours", body: `{"notes":"x"}`, least: auth.Admin, own: `"server_id":"ours"`},
		"POST /api/analytics/servers/{server_id}/archive":   {call: "/api/analytics/servers/ours-too/archive", least: auth.Admin, own: `"server_id":"ours-too"`},
		"POST /api/analytics/servers/{server_id}/unarchive": {call: "/api/analytics/servers/ours-too/unarchive", least: auth.Admin, own: `"server_id":"ours-too"`},
		"GET /api/analytics/events":                         {call: "/api/analytics/events", fresh: freshMark, least: auth.Viewer, own: "our mark"},
		"POST /api/analytics/events":                        {call: "/api/analytics/events", body: `{"kind":"note","title":"a mark"}`, least: auth.Admin},
		"DELETE /api/analytics/events/{id}":                 {call: "/api/analytics/events/{id}", fresh: freshMark, least: auth.Admin},
		"GET /api/analytics/live":                           {call: "/api/analytics/live?follow=false", least: auth.Viewer, own: "ours"},
		"GET /api/public/demo/live":                         {call: "/api/public/demo/live?follow=false", public: true},
		"GET /api/public/demo/summary":                      {call: "/api/public/demo/summary", public: true},
		"GET /api/public/demo/timeseries":                   {call: "/api/public/demo/timeseries?metric=players", public: true},
		"GET /livez":                                        {call: "/livez", public: true},
		"GET /readyz":                                       {call: "/readyz", public: true},
		"GET /metrics":                                      {call: "/metrics", public: true},
		"GET /api/analytics/retention":                      {call: "/api/analytics/retention", least: auth.Viewer, own: ourLicense.String()},
	}
}

// documentedOperations are "METHOD path" of the served OpenAPI document.
func documentedOperations(t *testing.T, h *harness) []string {
	t.Helper()
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(h.get(t, "/api/openapi.json", "").body), &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %s", document.OpenAPI)
	}
	var operations []string
	for path, methods := range document.Paths {
		for method := range methods {
			operations = append(operations, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(operations) // what is made for another license must not be there before its list is asked for
	return operations
}

func TestTenantMatrix(t *testing.T) {
	conn := schematest.ClickHouse(t)
	schematest.InsertSamples(t, conn, []schema.Sample{
		sampleAt(ourLicense, "ours", time.Now().Add(-time.Minute)), sampleAt(ourLicense, "ours-too", time.Now().Add(-time.Minute)), sampleAt(theirLicense, "theirs", time.Now().Add(-time.Minute)),
		sampleAt(demoLicense, "demo", time.Now().Add(-time.Minute)),
	})
	placed, installing := withInstallations(t)
	early, earlyRoutes := withEarlyAccess(t)
	pool := schematest.Postgres(t)
	h := openStoredOn(t, pool, withPlatform(t, pool, ""), installing, withModules(t), withJobs(t), withErasures(t, pool, jetStream(t)), early, withLive(t, localtest.NATSURL(t), func(_ *live.Config, d *live.Deps) { d.Seeder = live.NewStore(conn) }))
	matrix := tenantMatrix()
	maps.Copy(matrix, h.jobRoutes(t))
	maps.Copy(matrix, placed.routes(t, h))
	maps.Copy(matrix, moduleRoutes())
	maps.Copy(matrix, auditTenantRoutes())
	maps.Copy(matrix, earlyRoutes)
	maps.Copy(matrix, accountRoutes())
	maps.Copy(matrix, h.teamRoutes(t))
	maps.Copy(matrix, demoNetworkRoutes())
	for _, operation := range documentedOperations(t, h) {
		route, ok := matrix[operation]
		if !ok && strings.Contains(operation, " "+adminPrefix+"/") {
			continue // TestAdminMatrix has it
		}
		if !ok {
			t.Errorf("%s: no entry in the tenant matrix", operation)
			continue
		}
		var method string
		method, route.path, _ = strings.Cut(operation, " ")
		t.Run(operation, func(t *testing.T) { checkTenancy(t, h, method, route) })
		delete(matrix, operation)
	}
	for operation := range matrix {
		t.Errorf("%s: in the tenant matrix and not in the document", operation)
	}
}

func checkTenancy(t *testing.T, h *harness, method string, route tenantRoute) {
	switch {
	case route.public, route.open:
		route.checkPublic(t, h, method)
	case route.platform:
		route.checkPlatform(t, h, method)
	case route.account:
		route.checkStrangers(t, h, method, h.person)
		route.checkAccount(t, h, method)
	case route.person:
		route.checkStrangers(t, h, method, h.person)
		route.checkRoles(t, h, method, h.person)
		route.checkMembers(t, h, method)
	default:
		route.checkStrangers(t, h, method, h.token)
		route.checkRoles(t, h, method, h.token)
		route.checkKeys(t, h, method)
	}
}

func (r tenantRoute) checkPublic(t *testing.T, h *harness, method string) {
	want := max(r.status, 200)
	tokens := map[string]string{"none": "", "expired": h.expired(t), "owner": h.token(t, ourLicense, auth.Owner)}
	if r.open {
		tokens = map[string]string{"none": "", "person": h.person(t, theirLicense, auth.Owner)}
		r.refused(t, h, method, "expired", h.expired(t), "", 401, "token-expired")
		r.refused(t, h, method, "script", h.token(t, ourLicense, auth.Owner), "", 403, "account-needed")
	}
	for name, token := range tokens {
		if a := r.ask(t, h, method, token, ""); a.StatusCode != want {
			t.Errorf("token %s: %d %s", name, a.StatusCode, a.body)
		}
	}
}

// checkPlatform asks with tokens of licenses, whose roles count for nothing here.
func (r tenantRoute) checkPlatform(t *testing.T, h *harness, method string) {
	t.Helper()
	r.refused(t, h, method, "none", "", "", 401, "unauthenticated")
	r.refused(t, h, method, "expired", h.expired(t), "", 401, "token-expired")
	r.refused(t, h, method, "script", h.token(t, ourLicense, auth.Owner), "", 403, "account-needed")
	r.refused(t, h, method, "owner", h.person(t, ourLicense, auth.Owner), "", 403, "forbidden")
}

// tokenOf makes a token for a license with a role.
type tokenOf func(testing.TB, uuid.UUID, auth.Role) string

// refused asks with a good request, must be refused, and must leave no trace in our license.
func (r tenantRoute) refused(t *testing.T, h *harness, method, name, token, more string, status int, code string) {
	t.Helper()
	call, body := r.request(t, h, more)
	before := h.fingerprint(t)
	a := h.send(t, method, call, token, body)
	a.problem(t, status, code)
	if challenge := a.Header.Get("WWW-Authenticate"); status == 401 && !strings.HasPrefix(challenge, "Bearer ") {
		t.Errorf("%s: challenge %q", name, challenge)
	}
	if h.fingerprint(t) != before {
		t.Errorf("%s: a refused request left a trace", name)
	}
}

// checkStrangers asks without a token that counts.
func (r tenantRoute) checkStrangers(t *testing.T, h *harness, method string, token tokenOf) {
	t.Helper()
	r.refused(t, h, method, "none", "", "", 401, "unauthenticated")
	r.refused(t, h, method, "rubbish", "rubbish", "", 401, "token-invalid")
	r.refused(t, h, method, "a key of nobody", "ck_"+strings.Repeat("A", 43), "", 401, "token-invalid")
	r.refused(t, h, method, "expired", h.expired(t), "", 401, "token-expired")
	r.refused(t, h, method, "alg none", algNone(t), "", 401, "token-invalid")
	r.refused(t, h, method, "another installation's", otherKeys(t), "", 401, "token-invalid")
	r.refused(t, h, method, "in the URL", "", "token="+token(t, ourLicense, auth.Owner), 401, "unauthenticated")
	r.refused(t, h, method, "another license in the URL", token(t, ourLicense, auth.Owner), "license_id="+theirLicense.String(), 422, "invalid-request")
	if r.account {
		return
	}
	r.refused(t, h, method, "suspended", token(t, suspended, auth.Owner), "", 403, "license-suspended")
	r.refused(t, h, method, "erased", token(t, erased, auth.Owner), "", 401, "license-unknown")
}

// checkRoles asks with every role, and as another license's owner.
func (r tenantRoute) checkRoles(t *testing.T, h *harness, method string, token tokenOf) {
	t.Helper()
	for _, role := range []auth.Role{auth.Owner, auth.Admin, auth.Viewer} {
		if !role.AtLeast(r.least) {
			r.refused(t, h, method, string(role), token(t, ourLicense, role), "", 403, "forbidden")
			continue
		}
		a := r.ask(t, h, method, token(t, ourLicense, role), "")
		if r.status != 0 && a.StatusCode == r.status {
			continue
		}
		if a.StatusCode >= 400 || a.err != nil || !strings.Contains(a.body, r.own) || strings.Contains(a.body, "theirs") {
			t.Errorf("%s: %d %s %v", role, a.StatusCode, a.body, a.err)
		}
	}
	call, body := r.request(t, h, "")
	before := h.fingerprint(t)
	a := h.send(t, method, call, token(t, theirLicense, auth.Owner), body)
	if r.own != "" && strings.Contains(a.body, r.own) {
		t.Errorf("another license's token reads ours: %s", a.body)
	}
	if h.fingerprint(t) != before {
		t.Errorf("another license's token changes ours: %d %s", a.StatusCode, a.body)
	}
}

// ask sends a good request, with more in its query.
func (r tenantRoute) ask(t *testing.T, h *harness, method, token, more string) answer {
	t.Helper()
	call, body := r.request(t, h, more)
	return h.send(t, method, call, token, body)
}

// request makes what a good request needs.
func (r tenantRoute) request(t *testing.T, h *harness, more string) (call, body string) {
	t.Helper()
	call, body = r.call, r.body
	if r.fresh != nil {
		id := r.fresh(t, h)
		call, body = strings.ReplaceAll(call, "{id}", id), strings.ReplaceAll(body, "{id}", id)
	}
	if more != "" {
		call = withQuery(call, more)
	}
	return call, body
}

// openStored is a server over real stores.
func openStored(t *testing.T, more ...func(*Config, *Deps)) *harness {
	t.Helper()
	return openStoredOn(t, schematest.Postgres(t), more...)
}

// openStoredOn is one over a Postgres that others use too.
func openStoredOn(t *testing.T, pool *pgxpool.Pool, more ...func(*Config, *Deps)) *harness {
	t.Helper()
	conn := schematest.ClickHouse(t)
	for _, license := range []uuid.UUID{ourLicense, theirLicense, suspended} {
		if err := pg.New(pool).EnsureLicense(t.Context(), pg.EnsureLicenseParams{ID: license, Name: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	h := open(t, clickHouseHTTP(t), func(c *Config, d *Deps) {
		d.Registry, d.Events = registry.New(pool, conn, time.Now), events.New(pool, conn, time.Now)
		d.Accounts, c.AddressQuota.Requests, c.TokenQuota.Requests = accountsOn(t, pool, d.Keys), 100_000, 100_000
		for _, change := range more {
			change(c, d)
		}
	})
	h.pool = pool
	return h
}

func freshName(*testing.T, *harness) string { return "fresh-" + uuid.NewString() }

func freshMark(t *testing.T, h *harness) string {
	t.Helper()
	mark, _, err := h.deps.Events.Add(t.Context(), schema.Event{
		License: ourLicense, ServerID: "ours", Kind: schema.Note, Title: "our mark", TS: time.Now().Add(-time.Second).UnixMilli(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return mark.ID.String()
}

func withQuery(call, extra string) string {
	if strings.Contains(call, "?") {
		return call + "&" + extra
	}
	return call + "?" + extra
}

func (h *harness) expired(t *testing.T) string {
	t.Helper()
	token, err := h.deps.Keys.Issue(auth.Identity{Subject: "test", License: ourLicense, Role: auth.Owner}, time.Now().Add(-2*time.Hour), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func algNone(t *testing.T) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{
		"iss": auth.Issuer, "aud": auth.Audience, "sub": "x", "jti": "1", "role": "owner", "license_id": ourLicense.String(),
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func otherKeys(t *testing.T) string {
	t.Helper()
	keys, err := auth.LoadOrCreateKeys(t.TempDir() + "/jwt.key")
	if err != nil {
		t.Fatal(err)
	}
	token, err := keys.Issue(auth.Identity{Subject: "x", License: ourLicense, Role: auth.Owner}, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// sampleAt is a small sample.
func sampleAt(license uuid.UUID, server string, at time.Time) schema.Sample {
	s := schema.Sample{License: license, ServerID: server, TS: at.UnixMilli(), ReceivedAt: at.UnixMilli(), Epoch: 1, Seq: 1}
	s.SetUint(schema.Players, 1)
	return s
}

func TestTokenOnlyFromTheHeader(t *testing.T) {
	h := open(t, unreachable, nil)
	token := h.token(t, ourLicense, auth.Owner)
	for _, header := range []string{"Basic " + token, token, "Bearer", "Bearer " + token + " x"} {
		a := h.do(t, http.MethodGet, "/api/analytics/summary", "", "Authorization", header)
		if a.StatusCode != 401 {
			t.Errorf("%.12s…: %d", header, a.StatusCode)
		}
	}
	if a := h.do(t, http.MethodGet, "/api/analytics/summary", "", "Cookie", "token="+token); a.StatusCode != 401 {
		t.Errorf("a cookie: %d", a.StatusCode)
	}
	if a := h.do(t, http.MethodGet, "/api/analytics/summary", "", "Authorization", "bearer "+token); a.StatusCode != 200 {
		t.Errorf("the scheme in small letters: %d", a.StatusCode)
	}
}
