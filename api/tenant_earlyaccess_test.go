package api

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"corrosion/api/auth"
	"corrosion/api/earlyaccess"
	"corrosion/api/store"
	"corrosion/schema/pg"
	"corrosion/schema/schematest"
)

// withEarlyAccess serves early access from a Postgres of its own, and gives its routes: those of visitors are the same for
// all, the others are for those who run the platform.
func withEarlyAccess(t *testing.T) (serve func(*Config, *Deps), routes map[string]tenantRoute) {
	t.Helper()
	pool := schematest.Postgres(t)
	serve = func(_ *Config, d *Deps) {
		service, err := earlyaccess.NewService(earlyaccess.DefaultConfig(), earlyaccess.Deps{
			Store: store.New(pool), Keys: d.Keys, Registerer: prometheus.NewRegistry(),
		})
		if err != nil {
			t.Fatal(err)
		}
		d.EarlyAccess = service
	}
	freshLink := func(t *testing.T, _ *harness) string {
		t.Helper()
		token, digest := auth.NewToken(auth.EarlyAccessToken)
		item := "alerts"
		err := pg.New(pool).AddEarlyAccessLink(t.Context(), pg.AddEarlyAccessLinkParams{
			TokenDigest: digest, Purpose: "vote", EmailKey: uuid.NewString() + "@example.org", ItemID: &item, ExpiresAt: time.Now().Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	return serve, map[string]tenantRoute{
		"GET /api/early-access":                     {call: "/api/early-access", public: true},
		"GET /api/early-access/challenge":           {call: "/api/early-access/challenge", public: true},
		"POST /api/early-access":                    {call: "/api/early-access", body: `{"email":"{id}@example.org","server_count":3}`, fresh: freshName, public: true, status: 201},
		"POST /api/early-access/founding":           {call: "/api/early-access/founding", body: `{"email":"{id}@example.org","network_name":"x","server_count":3}`, fresh: freshName, public: true, status: 201},
		"POST /api/early-access/confirm":            {call: "/api/early-access/confirm", body: `{"token":"{id}"}`, fresh: freshLink, public: true},
		"GET /api/roadmap":                          {call: "/api/roadmap", public: true},
		"PUT /api/roadmap/{id}/vote":                {call: "/api/roadmap/alerts/vote", body: `{"email":"ada@example.org"}`, public: true},
		"DELETE /api/roadmap/{id}/vote":             {call: "/api/roadmap/alerts/vote", body: `{"email":"ada@example.org"}`, public: true},
		"GET /api/admin/early-access":               {call: "/api/admin/early-access", platform: true},
		"GET /api/admin/early-access/export":        {call: "/api/admin/early-access/export", platform: true},
		"DELETE /api/admin/early-access/{position}": {call: "/api/admin/early-access/1", platform: true},
	}
}
