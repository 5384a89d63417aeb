package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"corrosion/api/audit"
	"corrosion/api/auth"
	"corrosion/api/module"
	"corrosion/api/payment"
	"corrosion/api/payment/paypaltest"
	"corrosion/api/purchase"
	"corrosion/api/store"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// moduleRoutes are the lines of the tenant matrix that modules have. ourLicense owns Loot Manager.
func moduleRoutes() map[string]tenantRoute {
	const lootManager = "/api/modules/loot-manager"
	return map[string]tenantRoute{
		"GET /api/modules":                                            {call: "/api/modules", least: auth.Viewer, own: `"owned":true`},
		"GET /api/modules/{slug}":                                     {call: lootManager, least: auth.Viewer, own: `"owned":true`},
		"GET /api/modules/{slug}/versions/{version}/file":             {call: lootManager + "/versions/1.0.0/file", least: auth.Admin, own: "class LootManager"},
		"POST /api/modules/{slug}/purchase":                           {call: "/api/modules/{id}/purchase", fresh: freshModule("5"), least: auth.Admin},
		"GET /api/modules/purchases":                                  {call: "/api/modules/purchases", least: auth.Viewer, own: "our buyer"},
		"GET /api/modules/purchases/{id}":                             {call: "/api/modules/purchases/{id}", fresh: freshPurchase("0"), least: auth.Viewer, own: "our buyer"},
		"POST /api/modules/purchases/{id}/capture":                    {call: "/api/modules/purchases/{id}/capture", fresh: freshPurchase("0"), least: auth.Admin, own: "our buyer"},
		"DELETE /api/modules/purchases/{id}":                          {call: "/api/modules/purchases/{id}", fresh: freshPurchase("5"), least: auth.Admin},
		"POST /api/modules/purchases/{id}/refund":                     {call: "/api/modules/purchases/{id}/refund", fresh: freshPurchase("0"), least: auth.Owner, own: "our buyer"},
		"GET /api/modules/purchases/{id}/receipt":                     {call: "/api/modules/purchases/{id}/receipt", fresh: freshPurchase("0"), least: auth.Viewer, own: "our buyer"},
		"GET /api/public/modules/files/{capability}":                  {call: "/api/public/modules/files/{id}", fresh: freshLink, public: true},
		"GET /api/admin/modules":                                      {call: "/api/admin/modules", platform: true},
		"POST /api/admin/modules":                                     {call: "/api/admin/modules", body: `{"slug":"{id}","name":"M","price":"0","currency":"USD","publisher":"us","category":"test"}`, fresh: freshName, platform: true, status: 201},
		"GET /api/admin/modules/{slug}":                               {call: "/api/admin/modules/loot-manager", platform: true},
		"PATCH /api/admin/modules/{slug}":                             {call: "/api/admin/modules/loot-manager", body: `{"icon":"x"}`, platform: true},
		"POST /api/admin/modules/{slug}/publish":                      {call: "/api/admin/modules/loot-manager/publish", platform: true},
		"POST /api/admin/modules/{slug}/deprecate":                    {call: "/api/admin/modules/{id}/deprecate", fresh: freshModule("0"), platform: true},
		"POST /api/admin/modules/{slug}/versions":                     {call: "/api/admin/modules/{id}/versions", body: `{"version":"2.0.0","file":"M.cs","url":"https://example.org/M.cs","sha256":"` + strings.Repeat("a", 64) + `","size":1}`, fresh: freshModule("0"), platform: true, status: 201},
		"POST /api/admin/modules/{slug}/versions/{version}/publish":   {call: "/api/admin/modules/loot-manager/versions/1.0.0/publish", platform: true},
		"POST /api/admin/modules/{slug}/versions/{version}/deprecate": {call: "/api/admin/modules/{id}/versions/1.0.0/deprecate", fresh: freshModule("0"), platform: true, status: 409},
		"GET /api/admin/purchases":                                    {call: "/api/admin/purchases", platform: true},
		"GET /api/admin/purchases/{id}":                               {call: "/api/admin/purchases/{id}", fresh: freshPurchase("0"), platform: true},
		"POST /api/admin/purchases/{id}/refund":                       {call: "/api/admin/purchases/{id}/refund", fresh: freshPurchase("0"), platform: true},
		"POST /api/public/payments/paypal/webhook":                    {call: "/api/public/payments/paypal/webhook", public: true, status: 400},
	}
}

// withModules serves modules from stores of their own, with a PayPal that a test runs.
func withModules(t *testing.T) func(*Config, *Deps) {
	return func(_ *Config, d *Deps) {
		paypal := paypaltest.New(t)
		config := paypal.Config()
		config.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		gateway, err := payment.NewPayPal(config)
		if err != nil {
			t.Fatal(err)
		}
		webhook, err := payment.NewWebhook(paypal.WebhookConfig())
		if err != nil {
			t.Fatal(err)
		}
		pool := schematest.Postgres(t)
		for _, license := range []uuid.UUID{ourLicense, theirLicense} {
			if _, err := pg.New(pool).CreateLicense(t.Context(), pg.CreateLicenseParams{ID: license, Name: "test"}); err != nil {
				t.Fatal(err)
			}
		}
		openModules(t, store.New(pool), d, purchase.Deps{Gateway: gateway, Webhook: webhook})
		instant, err := purchase.New(purchase.DefaultConfig(), purchase.Deps{Store: store.New(pool), Gateway: payment.Instant{}})
		if err != nil {
			t.Fatal(err)
		}
		ours := purchase.Request{License: ourLicense, Module: module.SeedSlug, By: audit.Event{Actor: "our buyer"}}
		if _, err := instant.Buy(t.Context(), ours); err != nil {
			t.Fatal(err)
		}
	}
}

// openModules fills in the catalogue, with its first module, and the service that sells.
func openModules(t testing.TB, stored *store.Store, d *Deps, sales purchase.Deps) {
	t.Helper()
	files, err := module.NewFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if d.Modules, err = module.New(module.Deps{Store: stored, Files: files, Keys: d.Keys, PublicURL: "https://example.org", Now: d.Now}); err != nil {
		t.Fatal(err)
	}
	if err := d.Modules.Seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	sales.Store, sales.Now = stored, d.Now
	if d.Purchases, err = purchase.New(purchase.DefaultConfig(), sales); err != nil {
		t.Fatal(err)
	}
}

// freshModule publishes a module with a price.
func freshModule(price string) func(*testing.T, *harness) string {
	return func(t *testing.T, h *harness) string {
		t.Helper()
		slug := "m-" + uuid.NewString()
		by := module.By{Actor: "test"}
		settings := module.Settings{Name: "M", Price: payment.Amount{Decimal: decimal.RequireFromString(price)}, Currency: "USD", Publisher: "us", Category: "test"}
		if _, err := h.deps.Modules.Create(t.Context(), by, slug, settings); err != nil {
			t.Fatal(err)
		}
		if _, err := h.deps.Modules.AddVersion(t.Context(), by, slug, module.NewVersion{Version: "1.0.0", File: "M.cs", Content: strings.NewReader("m")}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.deps.Modules.SetVersion(t.Context(), by, slug, "1.0.0", module.Published); err != nil {
			t.Fatal(err)
		}
		if _, err := h.deps.Modules.Publish(t.Context(), by, slug, func(*module.Module) error { return nil }); err != nil {
			t.Fatal(err)
		}
		return slug
	}
}

// freshPurchase is one of ourLicense: completed where it costs nothing, pending where it costs something.
func freshPurchase(price string) func(*testing.T, *harness) string {
	return func(t *testing.T, h *harness) string {
		t.Helper()
		slug := freshModule(price)(t, h)
		bought, err := h.deps.Purchases.Buy(t.Context(), purchase.Request{License: ourLicense, Module: slug, By: audit.Event{Actor: "our buyer"}})
		if err != nil {
			t.Fatal(err)
		}
		return bought.ID.String()
	}
}

// freshLink is the last part of a link to Loot Manager's file.
func freshLink(t *testing.T, h *harness) string {
	t.Helper()
	v, err := h.deps.Modules.Version(t.Context(), module.SeedSlug, "")
	if err != nil {
		t.Fatal(err)
	}
	link, err := h.deps.Modules.Link(v, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return link[strings.LastIndex(link, "/")+1:]
}
