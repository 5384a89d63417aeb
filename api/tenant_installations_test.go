package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/auth"
	"corrosion/api/installation"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// testCatalogue has two versions of one module, which our license owns.
type testCatalogue struct{}

const testModule = "ours-loot"

func (testCatalogue) Owned(_ context.Context, license uuid.UUID, module string) (bool, error) {
	return license == ourLicense && module == testModule, nil
}

func (testCatalogue) Release(_ context.Context, module, version string) (installation.Release, error) {
	if version == "" {
		version = "2.0.0"
	}
	if module != testModule || version != "1.0.0" && version != "2.0.0" {
		return installation.Release{}, installation.ErrNoModule
	}
	return installation.Release{Module: module, Version: version, File: "Loot.cs", SHA256: strings.Repeat("ab", 32), Size: 4}, nil
}

func (testCatalogue) Link(context.Context, string, string, time.Time) (string, error) {
	return "http://127.0.0.1:1/file", nil
}

// installations is a Manager that neither sends nor hears, with the database under it.
type installations struct{ pool *pgxpool.Pool }

func withInstallations(t *testing.T) (installations, func(*Config, *Deps)) {
	t.Helper()
	i := installations{schematest.Postgres(t)}
	for _, license := range []uuid.UUID{ourLicense, theirLicense} {
		if err := pg.New(i.pool).EnsureLicense(t.Context(), pg.EnsureLicenseParams{ID: license, Name: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	i.exec(t, `INSERT INTO modules (slug, name, price, currency, publisher, category) VALUES ($1, 'Ours', 0, 'USD', 'test', 'test')`, testModule)
	return i, func(_ *Config, deps *Deps) {
		m, err := installation.New(installation.DefaultConfig(), installation.Deps{
			Pool: i.pool, Catalogue: testCatalogue{}, Signer: deps.Keys, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		deps.Installations = m
	}
}

func (i installations) exec(t *testing.T, text string, args ...any) {
	t.Helper()
	if _, err := i.pool.Exec(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

// asked is an installation of ours on a server of its own.
func (i installations) asked(t *testing.T, h *harness, server, version string) installation.Installation {
	t.Helper()
	made, err := h.deps.Installations.Install(t.Context(), installation.Ask{License: ourLicense, Server: server, Module: testModule, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (i installations) became(t *testing.T, id uuid.UUID, status installation.Status) {
	t.Helper()
	i.exec(t, `UPDATE module_installations SET status = $2, command_due = NULL, deadline = NULL WHERE id = $1`, id, string(status))
}

func (i installations) pending(t *testing.T, h *harness) string {
	return i.asked(t, h, "ours-"+uuid.NewString(), "").ID.String()
}

func (i installations) failed(t *testing.T, h *harness) string {
	made := i.asked(t, h, "ours-"+uuid.NewString(), "")
	i.became(t, made.ID, installation.Failed)
	return made.ID.String()
}

func (i installations) updated(t *testing.T, h *harness) string {
	server := "ours-" + uuid.NewString()
	one := i.asked(t, h, server, "1.0.0")
	i.became(t, one.ID, installation.Installed)
	two := i.asked(t, h, server, "2.0.0")
	i.became(t, one.ID, installation.Uninstalled)
	i.became(t, two.ID, installation.Installed)
	return two.ID.String()
}

// closed ends every rollout, so that another may begin.
func (i installations) closed(t *testing.T, _ *harness) string {
	i.exec(t, `UPDATE module_rollouts SET status = 'cancelled' WHERE status IN ('running', 'paused', 'rolling-back')`)
	return "ours-" + uuid.NewString()
}

func (i installations) rollout(status installation.RolloutStatus) func(*testing.T, *harness) string {
	return func(t *testing.T, h *harness) string {
		t.Helper()
		server := i.closed(t, h)
		made, err := h.deps.Installations.StartRollout(t.Context(), installation.RolloutAsk{
			License: ourLicense, Module: testModule, Servers: []string{server}, BatchSize: 1, MaxFailures: 1, By: installation.By{Actor: "test"},
		})
		if err != nil {
			t.Fatal(err)
		}
		i.exec(t, `UPDATE module_rollouts SET status = $2 WHERE id = $1`, made.ID, string(status))
		return made.ID.String()
	}
}

func (i installations) enrolled(t *testing.T, h *harness) string {
	t.Helper()
	server := "ours-" + uuid.NewString()
	if _, err := h.deps.Installations.Enrol(t.Context(), ourLicense, server, installation.By{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	return server
}

// routes are the lines of the tenant matrix about installations, rollouts and agents.
func (i installations) routes(t *testing.T, h *harness) map[string]tenantRoute {
	t.Helper()
	shown, begun := i.pending(t, h), i.rollout(installation.Paused)(t, h)
	i.enrolled(t, h)
	const own = `"server_id":"ours-`
	rollouts := "/api/modules/" + testModule + "/rollouts"
	return map[string]tenantRoute{
		"GET /api/modules/installations":                  {call: installationsPath, least: auth.Viewer, own: own},
		"GET /api/modules/installations/{id}":             {call: installationsPath + "/" + shown, least: auth.Viewer, own: own},
		"POST /api/modules/installations/{id}/retry":      {call: installationsPath + "/{id}/retry", fresh: i.failed, least: auth.Admin, own: own},
		"POST /api/modules/installations/{id}/rollback":   {call: installationsPath + "/{id}/rollback", fresh: i.updated, least: auth.Admin, own: own},
		"DELETE /api/modules/installations/{id}":          {call: installationsPath + "/{id}", fresh: i.pending, least: auth.Admin, own: own},
		"POST /api/modules/{slug}/install":                {call: "/api/modules/" + testModule + "/install", body: `{"server_id":"ours-{id}"}`, fresh: freshUUID, least: auth.Admin, own: own},
		"GET /api/modules/{slug}/rollouts":                {call: rollouts, least: auth.Viewer, own: testModule + `","version`},
		"POST /api/modules/{slug}/rollouts":               {call: rollouts, body: `{"servers":["{id}"]}`, fresh: i.closed, least: auth.Admin, own: own},
		"GET /api/modules/{slug}/rollouts/{id}":           {call: rollouts + "/" + begun, least: auth.Viewer, own: own},
		"POST /api/modules/{slug}/rollouts/{id}/pause":    {call: rollouts + "/{id}/pause", fresh: i.rollout(installation.Running), least: auth.Admin, own: own},
		"POST /api/modules/{slug}/rollouts/{id}/resume":   {call: rollouts + "/{id}/resume", fresh: i.rollout(installation.Paused), least: auth.Admin, own: own},
		"POST /api/modules/{slug}/rollouts/{id}/cancel":   {call: rollouts + "/{id}/cancel", fresh: i.rollout(installation.Running), least: auth.Admin, own: own},
		"POST /api/modules/{slug}/rollouts/{id}/rollback": {call: rollouts + "/{id}/rollback", fresh: i.rollout(installation.Running), least: auth.Admin, own: own},
		"GET /api/agents":                                 {call: agentsPath, least: auth.Viewer, own: own},
		"POST /api/agents":                                {call: agentsPath, body: `{"server_id":"ours-{id}"}`, fresh: freshUUID, least: auth.Admin},
		"DELETE /api/agents/{server_id}":                  {call: agentsPath + "/{id}", fresh: i.enrolled, least: auth.Admin},
	}
}

func freshUUID(*testing.T, *harness) string { return uuid.NewString() }

func TestInstallationsAPI(t *testing.T) {
	i, with := withInstallations(t)
	h := open(t, unreachable, with)
	admin, viewer := h.token(t, ourLicense, auth.Admin), h.token(t, ourLicense, auth.Viewer)
	install := "/api/modules/" + testModule + "/install"
	a := h.send(t, http.MethodPost, install, admin, `{"server_id":"eu-1"}`, "Idempotency-Key", "k")
	location := a.Header.Get("Location")
	if a.StatusCode != http.StatusAccepted || !strings.Contains(a.body, `"status":"pending"`) || !strings.HasPrefix(location, installationsPath+"/") {
		t.Fatalf("%d %s, location %q", a.StatusCode, a.body, location)
	}
	if again := h.send(t, http.MethodPost, install, admin, `{"server_id":"eu-1"}`, "Idempotency-Key", "k"); again.Header.Get("Location") != location {
		t.Errorf("the same key: %d %s", again.StatusCode, again.body)
	}
	h.send(t, http.MethodPost, install, admin, `{"server_id":"eu-2"}`, "Idempotency-Key", "k").problem(t, 422, "idempotency-key-reused")
	h.send(t, http.MethodPost, install, admin, `{"server_id":"eu-1"}`).problem(t, 409, "installation-busy")
	h.send(t, http.MethodPost, install, admin, `{"server_id":"../x","color":1}`).problem(t, 422, "invalid-request")
	h.send(t, http.MethodPost, install, h.token(t, theirLicense, auth.Owner), `{"server_id":"eu-1"}`).problem(t, 403, "not-owned")
	h.send(t, http.MethodPost, "/api/modules/none/install", admin, `{"server_id":"eu-1"}`).problem(t, 404, "not-found")

	shown := h.get(t, location, viewer)
	tag := shown.Header.Get("ETag")
	if shown.StatusCode != 200 || tag == "" || !strings.Contains(shown.body, `"history":[{`) || !strings.Contains(shown.body, `"agent":"never"`) {
		t.Errorf("%d %s", shown.StatusCode, shown.body)
	}
	if same := h.get(t, location, viewer, "If-None-Match", tag); same.StatusCode != http.StatusNotModified || same.body != "" {
		t.Errorf("nothing new: %d %s", same.StatusCode, same.body)
	}
	h.do(t, http.MethodPost, location+"/retry", admin).problem(t, 409, "status-forbids")
	h.do(t, http.MethodPost, location+"/rollback", admin).problem(t, 409, "status-forbids")
	if gone := h.do(t, http.MethodDelete, location, admin); gone.StatusCode != http.StatusAccepted || !strings.Contains(gone.body, `"status":"cancelled"`) {
		t.Errorf("%d %s", gone.StatusCode, gone.body)
	}
	if changed := h.get(t, location, viewer, "If-None-Match", tag); changed.StatusCode != 200 {
		t.Errorf("something new: %d", changed.StatusCode)
	}

	for range 3 {
		i.pending(t, h)
	}
	page := h.get(t, installationsPath+"?limit=2&status=pending", viewer)
	link := page.Header.Get("Link")
	if strings.Count(page.body, `"installation_id"`) != 2 || !strings.Contains(link, "cursor=") {
		t.Fatalf("%s, link %q", page.body, link)
	}
	next, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if last := h.get(t, next, viewer); strings.Count(last.body, `"installation_id"`) != 1 || !strings.Contains(last.body, `"next":null`) {
		t.Errorf("the last page: %s", last.body)
	}
	h.get(t, installationsPath+"?status=odd&limit=0&cursor=x", viewer).problem(t, 422, "invalid-request")
}
