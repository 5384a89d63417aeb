package api

import (
	"testing"

	"corrosion/api/account"
	"corrosion/api/auth"
)

// asOwner is a new owner of our license, for the service.
func (h *harness) asOwner(t testing.TB) account.Person {
	t.Helper()
	who := h.join(t, ourLicense, auth.Owner)
	return account.Person{Account: who.account, Session: who.session, License: ourLicense}
}

func freshMember(t *testing.T, h *harness) string {
	return h.join(t, ourLicense, auth.Viewer).account.String()
}

func freshInvitation(t *testing.T, h *harness) string {
	t.Helper()
	email, err := account.ParseEmail("invited-" + freshName(t, h) + "@example.org")
	if err != nil {
		t.Fatal(err)
	}
	made, err := h.deps.Accounts.Invite(t.Context(), h.asOwner(t), email, auth.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	return made.ID.String()
}

func freshKey(t *testing.T, h *harness) string {
	t.Helper()
	made, err := h.deps.Accounts.MakeKey(t.Context(), h.asOwner(t), account.NewKey{Name: "our key", Scopes: []auth.Scope{auth.Export}})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID.String()
}

func freshNATSUser(t *testing.T, h *harness) string {
	t.Helper()
	made, err := h.deps.Accounts.MakeNATSUser(t.Context(), h.asOwner(t), freshName(t, h))
	if err != nil {
		t.Fatal(err)
	}
	return made.NATSUser
}

// teamRoutes are the lines of the tenant matrix about a license and its people.
func (h *harness) teamRoutes(t *testing.T) map[string]tenantRoute {
	t.Helper()
	member := h.join(t, ourLicense, auth.Viewer).account.String()
	return map[string]tenantRoute{
		"GET /api/license":                                {call: licensePath, least: auth.Viewer, own: ourLicense.String()},
		"PATCH /api/license":                              {call: licensePath, body: `{"name":"{id}"}`, fresh: freshName, person: true, least: auth.Admin, own: ourLicense.String()},
		"DELETE /api/license":                             {call: licensePath, body: `{"name":"another","password":"` + goodPassword + `"}`, person: true, least: auth.Owner, status: 422},
		"GET /api/license/archive":                        {call: archivePath, person: true, least: auth.Owner},
		"GET /api/license/quotas":                         {call: quotasPath, least: auth.Viewer},
		"GET /api/license/members":                        {call: membersPath, person: true, least: auth.Viewer, own: member},
		"GET /api/license/members/{account_id}":           {call: membersPath + "/" + member, person: true, least: auth.Viewer, own: member},
		"PATCH /api/license/members/{account_id}":         {call: membersPath + "/{id}", body: `{"role":"admin"}`, fresh: freshMember, person: true, least: auth.Admin, own: `"role":"admin"`},
		"DELETE /api/license/members/{account_id}":        {call: membersPath + "/{id}", fresh: freshMember, person: true, least: auth.Admin, own: "keys_ended"},
		"POST /api/license/leave":                         {call: leavePath, person: true, least: auth.Viewer},
		"POST /api/license/transfer":                      {call: transferPath, body: `{"account_id":"{id}","password":"` + goodPassword + `"}`, fresh: freshMember, person: true, least: auth.Owner, own: `"role":"owner"`},
		"GET /api/license/invitations":                    {call: invitationsPath, fresh: freshInvitation, person: true, least: auth.Admin, own: "invited-"},
		"POST /api/license/invitations":                   {call: invitationsPath, body: `{"email":"{id}@example.org","role":"viewer"}`, fresh: freshName, person: true, least: auth.Admin},
		"DELETE /api/license/invitations/{id}":            {call: invitationsPath + "/{id}", fresh: freshInvitation, person: true, least: auth.Admin},
		"GET /api/license/keys":                           {call: keysPath, fresh: freshKey, person: true, least: auth.Admin, own: "our key"},
		"POST /api/license/keys":                          {call: keysPath, body: `{"name":"nightly","scopes":["export"]}`, person: true, least: auth.Admin},
		"DELETE /api/license/keys/{id}":                   {call: keysPath + "/{id}", fresh: freshKey, person: true, least: auth.Admin},
		"GET /api/license/nats-users":                     {call: natsUsersPath, fresh: freshNATSUser, person: true, least: auth.Admin, own: "agent-" + ourLicense.String()},
		"POST /api/license/nats-users":                    {call: natsUsersPath, body: `{"server_id":"{id}"}`, fresh: freshName, person: true, least: auth.Admin},
		"POST /api/license/nats-users/{nats_user}/rotate": {call: natsUsersPath + "/{id}/rotate", fresh: freshNATSUser, person: true, least: auth.Admin, own: "agent-" + ourLicense.String()},
		"DELETE /api/license/nats-users/{nats_user}":      {call: natsUsersPath + "/{id}", fresh: freshNATSUser, person: true, least: auth.Admin},
	}
}
