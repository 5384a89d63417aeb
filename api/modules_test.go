package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/auth"
	"corrosion/api/module"
	"corrosion/api/payment"
	"corrosion/api/purchase"
	"corrosion/api/store"
	"corrosion/schema/pg"
)

// market is a server with people and modules, where purchases are paid at once. Its administrator of the platform has root.
type market struct {
	*people
	root string
}

func openMarket(t *testing.T) *market {
	t.Helper()
	var stored *store.Store
	m := &market{people: openPeopleWith(t, func(_ *account.Config, d *account.Deps) { stored = d.Store }, func(_ *Config, d *Deps) {
		openModules(t, stored, d, purchase.Deps{Gateway: payment.Instant{}})
	})}
	m.signUp("root@example.org")
	if _, err := account.CreateAdmin(t.Context(), m.pool, "root@example.org"); err != nil {
		t.Fatal(err)
	}
	m.root = m.login("root@example.org", goodPassword).AccessToken
	for _, license := range []uuid.UUID{ourLicense, theirLicense} {
		if _, err := pg.New(m.pool).CreateLicense(t.Context(), pg.CreateLicenseParams{ID: license, Name: "Ours"}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// script is a script's token, at the market's time.
func (m *market) script(license uuid.UUID, role auth.Role) string {
	m.t.Helper()
	token, err := m.deps.Keys.Issue(auth.Identity{Subject: "script", License: license, Role: role}, m.clock.Now(), time.Hour)
	if err != nil {
		m.t.Fatal(err)
	}
	return token
}

func (m *market) read(path, token string, headers ...string) answer {
	m.t.Helper()
	return m.send(http.MethodGet, path, token, nil, headers...)
}

func TestCatalogue(t *testing.T) {
	m := openMarket(t)
	viewer := m.script(ourLicense, auth.Viewer)
	var list module.CataloguePage
	first := m.read("/api/modules", viewer).ok(t, 200, &list)
	if list.Total != 1 || list.Modules[0].Slug != "loot-manager" || *list.Modules[0].Version != "1.0.0" || list.Modules[0].Owned || len(list.Modules[0].InstalledOn) != 0 {
		t.Errorf("%s", first.body)
	}
	if !strings.Contains(first.body, `"price":"9.99","currency":"USD"`) || !strings.Contains(first.body, `"installed_on":[]`) {
		t.Errorf("%s", first.body)
	}
	if again := m.read("/api/modules", viewer, "If-None-Match", first.Header.Get("ETag")); again.StatusCode != 304 {
		t.Errorf("If-None-Match: %d", again.StatusCode)
	}
	var one module.Module
	m.read("/api/modules/loot-manager", viewer).ok(t, 200, &one)
	if len(one.Versions) != 1 || !module.ValidDigest(one.Versions[0].SHA256) || one.Versions[0].File != "LootManager.cs" {
		t.Errorf("%+v", one.Versions)
	}
	for search, want := range map[string]int{"search=LOOT": 1, "search=nothing": 0, "category=economy&game=rust": 1, "game=minecraft": 0, "owned=true": 0, "owned=false": 1, "installed=true": 0} {
		m.read("/api/modules?"+search, viewer).ok(t, 200, &list)
		if list.Total != want {
			t.Errorf("%s: %d", search, list.Total)
		}
	}
	p := m.read("/api/modules?sort=color&limit=0&owned=maybe&category=A+B&x=1", viewer).problem(t, 422, "invalid-request")
	if got := locations(p); !slices.Equal(got, []string{"query.category", "query.limit", "query.owned", "query.sort", "query.x"}) {
		t.Errorf("%v", got)
	}
	m.read("/api/modules?cursor=x", viewer).problem(t, 422, "invalid-request")
	m.read("/api/modules/nothing", viewer).problem(t, 404, "not-found")
	m.read("/api/modules/Loot", viewer).problem(t, 404, "not-found")
}

// admin asks as the administrator of the platform.
func (m *market) admin(method, path string, body any, headers ...string) answer {
	m.t.Helper()
	return m.send(method, "/api/admin/modules"+path, m.root, body, headers...)
}

// upload sends a new version with its file.
func (m *market) upload(slug, version string, file []byte) answer {
	m.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := w.WriteField("version", version); err != nil {
		m.t.Fatal(err)
	}
	part, err := w.CreateFormFile("file", "Plugin.cs")
	if err == nil {
		_, err = part.Write(file)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	w.Close()
	request, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, m.url+"/api/admin/modules/"+slug+"/versions", &form)
	if err != nil {
		m.t.Fatal(err)
	}
	request.Header.Set("Content-Type", w.FormDataContentType())
	request.Header.Set("Authorization", "Bearer "+m.root)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response, string(text), err}
}

func TestAdministerModules(t *testing.T) {
	m := openMarket(t)
	viewer := m.script(ourLicense, auth.Viewer)
	body := object{"slug": "kits", "name": "Kits", "price": "4.50", "currency": "EUR", "publisher": "Us", "category": "economy",
		"features": []string{"Kits"}, "compatible": []object{{"game": "rust", "min_version": "2500"}}, "description": "# Kits"}
	created := m.admin("POST", "", body).ok(t, 201, nil)
	tag := created.Header.Get("ETag")
	m.admin("POST", "", body).problem(t, 409, "conflict")
	m.read("/api/modules/kits", viewer).problem(t, 404, "not-found") // a draft
	m.admin("POST", "/kits/publish", nil).problem(t, 409, "no-version")

	file := bytes.Repeat([]byte("plugin "), 500_000) // more than other bodies may have
	var shown module.Module
	m.upload("kits", `{"version":"1.2.0","changelog":"First.","dependencies":[{"module":"loot-manager","min_version":"1.0.0"}]}`, file).ok(t, 201, &shown)
	sum := sha256.Sum256(file)
	if v := shown.Versions[0]; v.SHA256 != hex.EncodeToString(sum[:]) || v.Size != int64(len(file)) || v.File != "Plugin.cs" || v.Status != module.Draft || v.Dependencies[0].Module != "loot-manager" {
		t.Errorf("%+v", v)
	}
	m.upload("kits", `{"version":"1.2.0"}`, file).problem(t, 409, "conflict")
	m.admin("POST", "/loot-manager/versions", object{"version": "2.0.0", "file": "L.cs", "url": "https://example.org/L.cs", "sha256": strings.Repeat("a", 64), "size": 5,
		"dependencies": []object{{"module": "kits"}}}).problem(t, 409, "module-cycle")
	m.admin("POST", "/kits/versions", object{"version": "1.3.0", "file": "L.cs", "url": "https://example.org/L.cs", "sha256": strings.Repeat("a", 64), "size": 5}).ok(t, 201, nil)
	for _, version := range []string{"1.2.0", "1.3.0"} {
		m.admin("POST", "/kits/versions/"+version+"/publish", nil).ok(t, 200, nil)
	}
	m.admin("POST", "/kits/publish", nil).ok(t, 200, nil)
	m.read("/api/modules/kits", viewer).ok(t, 200, &shown)
	if *shown.Version != "1.3.0" || len(shown.Versions) != 2 {
		t.Errorf("%+v", shown)
	}
	m.admin("POST", "/kits/versions/1.3.0/deprecate", nil).ok(t, 200, nil)
	shown = module.Module{}
	m.read("/api/modules/kits", viewer).ok(t, 200, &shown)
	if *shown.Version != "1.2.0" || shown.Dependencies[0].Module != "loot-manager" {
		t.Errorf("%+v", shown)
	}
	m.admin("POST", "/kits/versions/1.2.0/deprecate", nil).problem(t, 409, "no-version")

	m.admin("PATCH", "/kits", object{"name": "Late"}, "If-Match", tag).problem(t, 412, "changed")
	tag = m.admin("GET", "/kits", nil).Header.Get("ETag")
	m.admin("PATCH", "/kits", object{"name": "Kits 2", "price": "5"}, "If-Match", tag).ok(t, 200, &shown)
	if shown.Name != "Kits 2" || shown.Price.String() != "5.00" || shown.Publisher != "Us" || shown.Description != "# Kits" {
		t.Errorf("%+v", shown.Settings)
	}
	m.admin("POST", "/kits/deprecate", nil).ok(t, 200, nil)
	m.read("/api/modules/kits", viewer).problem(t, 404, "not-found")
	var list module.CataloguePage
	m.admin("GET", "?status=deprecated", nil).ok(t, 200, &list)
	if list.Total != 1 || m.audited("module.changed") != 1 || m.audited("module.version-added") != 2 || m.audited("module.deprecated") != 1 {
		t.Errorf("%+v", list)
	}
}

func TestModuleBadInput(t *testing.T) {
	m := openMarket(t)
	p := m.admin("POST", "", object{"slug": "purchases", "name": "", "price": "1.234", "currency": "XXX", "category": "A", "icon": "!", "plugin_url": "http://x",
		"features": []string{""}, "compatible": []object{{"game": "Rust"}}, "owner": true}).problem(t, 422, "invalid-request")
	want := []string{"body.category", "body.compatible[0].game", "body.features[0]", "body.icon", "body.name", "body.owner", "body.plugin_url", "body.price", "body.price", "body.publisher", "body.slug"}
	if got := locations(p); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	p = m.admin("POST", "/loot-manager/versions", object{"version": "1", "file": "../x", "url": "ftp://x", "sha256": "x", "size": -1, "dependencies": []object{{"module": "!"}}}).problem(t, 422, "invalid-request")
	want = []string{"body.dependencies[0].module", "body.file", "body.sha256", "body.size", "body.url", "body.version"}
	if got := locations(p); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	missing := object{"version": "9.0.0", "file": "x", "url": "https://x.org/x", "sha256": strings.Repeat("a", 64), "size": 1, "dependencies": []object{{"module": "nothing"}}}
	if got := locations(m.admin("POST", "/loot-manager/versions", missing).problem(t, 422, "invalid-request")); got[0] != "body.dependencies" {
		t.Errorf("%v", got)
	}
	m.upload("loot-manager", `{"version":"9.0.0"}`, nil).problem(t, 422, "empty-file")
	m.upload("nothing", `{"version":"9.0.0"}`, []byte("x")).problem(t, 404, "not-found")
	m.upload("loot-manager", `[`, []byte("x")).problem(t, 422, "invalid-request")
	m.upload("loot-manager", `{"version":"9.0.0"}`, make([]byte, module.MaxFile+1)).problem(t, 413, "too-large")
}

// Only administrators of the platform reach what is theirs, whatever it is.
func TestAdminModulesAreForAdmins(t *testing.T) {
	m := openMarket(t)
	person := m.signUp("ada@example.org").AccessToken
	script := m.script(ourLicense, auth.Owner)
	tried := 0
	for _, operation := range documentedOperations(t, m.harness) {
		method, path, _ := strings.Cut(operation, " ")
		if !strings.HasPrefix(path, "/api/admin/modules") && !strings.HasPrefix(path, "/api/admin/purchases") {
			continue
		}
		tried++
		path = strings.NewReplacer("{slug}", "loot-manager", "{version}", "1.0.0", "{id}", uuid.NewString()).Replace(path)
		m.send(method, path, "", nil).problem(t, 401, "unauthenticated")
		m.send(method, path, person, nil).problem(t, 403, "forbidden")
		m.send(method, path, script, nil).problem(t, 403, "account-needed")
	}
	if tried != 12 {
		t.Errorf("%d routes", tried)
	}
	// Others' bodies stay small where administrators' may be large, and who sends more reads why it was refused.
	for range 5 {
		large := m.send("POST", "/api/admin/modules/loot-manager/versions", person, `{"x":"`+strings.Repeat("x", 16<<20)+`"}`)
		large.problem(t, 413, "too-large")
	}
}

func TestBuyOverHTTP(t *testing.T) {
	m := openMarket(t)
	admin, owner := m.script(ourLicense, auth.Admin), m.script(ourLicense, auth.Owner)
	const buy, file = "/api/modules/loot-manager/purchase", "/api/modules/loot-manager/versions/1.0.0/file"
	m.read(file, admin).problem(t, 403, "not-owned")
	m.post(buy, admin, object{"amount": "1.00", "currency": "USD"}).problem(t, 409, "price-changed")
	m.post(buy, admin, object{"amount": 9.99}).problem(t, 422, "invalid-request")
	var bought purchase.Purchase
	first := m.post(buy, admin, object{"amount": "9.99", "currency": "USD"}, "Idempotency-Key", "k1").ok(t, 201, &bought)
	if bought.Status != purchase.Completed || first.Header.Get("Location") != "/api/modules/purchases/"+bought.ID.String() || !strings.Contains(first.body, `"amount":"9.99","currency":"USD","status":"completed"`) {
		t.Errorf("%s", first.body)
	}
	if again := m.post(buy, admin, object{"amount": "9.99", "currency": "USD"}, "Idempotency-Key", "k1").ok(t, 201, nil); again.body != first.body {
		t.Errorf("the same key:\n%s\n%s", again.body, first.body)
	}
	m.post(buy, admin, nil, "Idempotency-Key", "k1").problem(t, 422, "idempotency-key-reused")
	m.post(buy, admin, nil).problem(t, 409, "already-owned")
	m.post(buy, admin, nil, "Idempotency-Key", strings.Repeat("k", 300)).problem(t, 422, "invalid-request")
	m.post("/api/modules/nothing/purchase", admin, nil).problem(t, 404, "not-found")

	var list purchase.History
	m.read("/api/modules/purchases", admin).ok(t, 200, &list)
	if len(list.Purchases) != 1 || list.Purchases[0].Transaction != bought.Transaction || list.Purchases[0].Buyer != "script" {
		t.Errorf("%+v", list)
	}
	if page := m.read("/api/modules/purchases/"+bought.ID.String()+"/receipt?format=html", admin).ok(t, 200, nil); !strings.Contains(page.body, "9.99 USD") ||
		!strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(page.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%v %s", page.Header, page.body)
	}
	m.read(file, admin).ok(t, 200, nil)
	refund := "/api/modules/purchases/" + bought.ID.String() + "/refund"
	m.post(refund, admin, nil).problem(t, 403, "forbidden")
	m.post(refund, owner, object{"reason": "does not fit"}).ok(t, 200, &bought)
	if bought.Status != purchase.Refunded || bought.Transactions[2].Reason != "does not fit" {
		t.Errorf("%+v", bought)
	}
	m.read(file, admin).problem(t, 403, "not-owned")
	m.send("DELETE", "/api/modules/purchases/"+bought.ID.String(), admin, nil).problem(t, 409, "purchase-state")
	m.send("POST", "/api/admin/purchases/"+bought.ID.String()+"/refund", m.root, nil).ok(t, 200, nil)
}

func TestModuleFile(t *testing.T) {
	m := openMarket(t)
	admin := m.script(ourLicense, auth.Admin)
	m.post("/api/modules/loot-manager/purchase", admin, nil).ok(t, 201, nil)
	v, err := m.deps.Modules.Version(t.Context(), "loot-manager", "")
	if err != nil {
		t.Fatal(err)
	}
	link, err := m.deps.Modules.Link(v, m.clock.Now().Add(time.Minute))
	if err != nil || !strings.HasPrefix(link, "https://example.org/api/public/modules/files/") {
		t.Fatal(link, err)
	}
	link = strings.TrimPrefix(link, "https://example.org")
	for path, token := range map[string]string{"/api/modules/loot-manager/versions/1.0.0/file": admin, link: ""} {
		whole := m.read(path, token).ok(t, 200, nil)
		sum := sha256.Sum256([]byte(whole.body))
		tag := `"` + v.SHA256 + `"`
		if hex.EncodeToString(sum[:]) != v.SHA256 || whole.Header.Get("ETag") != tag || !strings.Contains(whole.Header.Get("Content-Disposition"), "LootManager.cs") {
			t.Errorf("%s: %v", path, whole.Header)
		}
		part := m.read(path, token, "Range", "bytes=100-199", "If-Range", tag).ok(t, 206, nil)
		if part.body != whole.body[100:200] || !strings.HasPrefix(part.Header.Get("Content-Range"), "bytes 100-199/") {
			t.Errorf("%s: %v", path, part.Header)
		}
		if other := m.read(path, token, "Range", "bytes=100-199", "If-Range", `"x"`); other.body != whole.body {
			t.Errorf("another file's range: %d", other.StatusCode)
		}
		m.read(path, token, "Range", "bytes=99999999-").problem(t, 416, "range-not-satisfiable")
		if same := m.read(path, token, "If-None-Match", tag); same.StatusCode != 304 {
			t.Errorf("If-None-Match: %d", same.StatusCode)
		}
	}
	m.read(link+"x", "").problem(t, 410, "link-expired")
	m.clock.pass(time.Minute)
	m.read(link, "").problem(t, 410, "link-expired")
	if strings.Contains(m.log.String(), link) {
		t.Error("a link stands in the log")
	}
	var shown module.Module
	if err := json.Unmarshal([]byte(m.read("/api/modules/loot-manager", m.script(theirLicense, auth.Owner)).body), &shown); err != nil || shown.Owned {
		t.Errorf("another license owns it: %v", err)
	}
}
