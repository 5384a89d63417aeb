package api

import (
	"testing"

	"corrosion/api/audit"
	"corrosion/api/auth"
)

// auditTenantRoutes are the lines of the tenant matrix about the audit log.
func auditTenantRoutes() map[string]tenantRoute {
	return map[string]tenantRoute{
		"GET /api/audit": {call: "/api/audit", fresh: freshEntry, least: auth.Owner, own: ourLicense.String()},
	}
}

func freshEntry(t *testing.T, h *harness) string {
	t.Helper()
	if err := h.deps.Platform.Note(audit.By(t.Context(), audit.Asker{Name: "test"}), "server.changed", ourLicense, "server", "ours", nil); err != nil {
		t.Fatal(err)
	}
	return ""
}
