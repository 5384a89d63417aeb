package api

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/account"
	"corrosion/api/auth"
)

// owner signs up, makes a license, and speaks for it.
func (p *people) owner(email string) (TokensBody, MadeLicenseBody) {
	p.t.Helper()
	tokens := p.signUp(email)
	var made MadeLicenseBody
	p.post(licensesPath, tokens.AccessToken, object{"name": "Network of " + email}).ok(p.t, 201, &made)
	p.post(tokenPath, tokens.AccessToken, object{"license_id": made.LicenseID}).ok(p.t, 200, &tokens)
	return tokens, made
}

// invited makes an invitation and gives its link's token.
func (p *people) invited(token, email, role string) string {
	p.t.Helper()
	var made MadeInvitationBody
	p.post(invitationsPath, token, object{"email": email, "role": role}).ok(p.t, 201, &made)
	if made.Link == nil || made.Mail {
		p.t.Fatalf("no link: %+v", made)
	}
	_, link, _ := strings.Cut(*made.Link, "#token=")
	return link
}

// colleague is a new account that has accepted an invitation.
func (p *people) colleague(token, email, role string) (tokens TokensBody) {
	p.t.Helper()
	p.post(acceptPath, "", object{"token": p.invited(token, email, role), "password": goodPassword, "name": "Колега 李"}).ok(p.t, 200, &tokens)
	return tokens
}

func (p *people) accountID(token string) string {
	p.t.Helper()
	var me MeBody
	p.get(p.t, mePath, token).ok(p.t, 200, &me)
	return me.AccountID.String()
}

func TestMakeALicense(t *testing.T) {
	p := openPeople(t, nil)
	tokens, made := p.owner("ada@example.org")
	if made.NATSUser != "server-"+made.LicenseID.String() || len(made.NATSPassword) != 43 || made.StatsSubject != "corrosion."+made.LicenseID.String()+".stats" {
		t.Errorf("got %+v", made)
	}
	if *tokens.LicenseID != made.LicenseID || *tokens.Role != auth.Owner {
		t.Errorf("got %+v", tokens)
	}
	var mine MyLicensesBody
	p.get(t, licensesPath, tokens.AccessToken).ok(t, 200, &mine)
	if len(mine.Licenses) != 1 || mine.Licenses[0].Role != "owner" || mine.Licenses[0].Name != "Network of ada@example.org" {
		t.Errorf("got %+v", mine)
	}
	var license LicenseBody
	a := p.get(t, licensePath, tokens.AccessToken).ok(t, 200, &license)
	tag := a.Header.Get("ETag")
	p.send(http.MethodPatch, licensePath, tokens.AccessToken, object{"name": " 我的网络 "}, "If-Match", tag).ok(t, 200, &license)
	if license.Name != "我的网络" || *license.Role != auth.Owner {
		t.Errorf("got %+v", license)
	}
	p.send(http.MethodPatch, licensePath, tokens.AccessToken, object{"name": "late"}, "If-Match", tag).problem(t, 412, "changed")
	for _, action := range []string{"license.created", "license.renamed"} {
		if p.audited(action) != 1 {
			t.Errorf("%s is not in the audit log", action)
		}
	}
	if strings.Contains(p.log.String(), made.NATSPassword) {
		t.Error("the NATS password is in the log")
	}
}

func TestOnlySoManyLicenses(t *testing.T) {
	p := openPeople(t, func(c *account.Config, _ *account.Deps) { c.MaxOwned = 3 })
	token := p.signUp("ada@example.org").AccessToken
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range 8 {
		wg.Go(func() {
			a := p.post(licensesPath, token, object{"name": "x"})
			mu.Lock()
			defer mu.Unlock()
			got[a.StatusCode]++
		})
	}
	wg.Wait()
	if got[201] != 3 || got[409] != 5 {
		t.Errorf("got %v", got)
	}
}

func TestMembersAndRoles(t *testing.T) {
	p := openPeople(t, nil)
	owner, _ := p.owner("ada@example.org")
	admin, viewer := p.colleague(owner.AccessToken, "bob@example.org", "admin"), p.colleague(owner.AccessToken, "zoë@bücher.example", "viewer")
	adaID, bobID, zoeID := p.accountID(owner.AccessToken), p.accountID(admin.AccessToken), p.accountID(viewer.AccessToken)
	var members MembersBody
	p.get(t, membersPath, viewer.AccessToken).ok(t, 200, &members)
	if len(members.Members) != 3 || members.Members[0].Email != nil || !members.Members[2].You || *members.Members[2].Email != "zoë@bücher.example" {
		t.Errorf("a viewer sees %+v", members)
	}
	patch := func(token, id, role string, headers ...string) answer {
		return p.send(http.MethodPatch, membersPath+"/"+id, token, object{"role": role}, headers...)
	}
	patch(viewer.AccessToken, bobID, "viewer").problem(t, 403, "forbidden")
	patch(admin.AccessToken, adaID, "viewer").problem(t, 403, "forbidden")
	patch(admin.AccessToken, zoeID, "owner").problem(t, 403, "forbidden")
	patch(owner.AccessToken, adaID, "admin").problem(t, 409, "last-owner")
	p.post(leavePath, owner.AccessToken, nil).problem(t, 409, "last-owner")
	p.send(http.MethodDelete, membersPath+"/"+adaID, owner.AccessToken, nil).problem(t, 409, "last-owner")
	tag := p.get(t, membersPath+"/"+zoeID, owner.AccessToken).Header.Get("ETag")
	patch(admin.AccessToken, zoeID, "admin", "If-Match", tag).ok(t, 200, nil)
	patch(admin.AccessToken, zoeID, "viewer", "If-Match", tag).problem(t, 412, "changed")
	// Zoë's token still says viewer; what she may do is asked at the moment.
	var made MadeKeyBody
	p.post(keysPath, viewer.AccessToken, object{"name": "hers", "scopes": []string{"read:license"}}).ok(t, 201, &made)
	p.get(t, licensePath, made.Key).ok(t, 200, nil)
	patch(owner.AccessToken, zoeID, "viewer").ok(t, 200, nil)
	p.clock.pass(3 * time.Second)
	p.get(t, licensePath, made.Key).problem(t, 401, "token-invalid")
	p.get(t, keysPath, viewer.AccessToken).problem(t, 403, "forbidden")
	p.send(http.MethodDelete, membersPath+"/"+zoeID, admin.AccessToken, nil).ok(t, 200, nil)
	p.get(t, membersPath, viewer.AccessToken).problem(t, 403, "forbidden")
	p.get(t, licensesPath, viewer.AccessToken).ok(t, 200, nil)
	p.post(leavePath, admin.AccessToken, nil).ok(t, 200, nil)
	for _, action := range []string{"member.role-changed", "member.removed", "member.left", "invitation.accepted", "account.invited"} {
		if p.audited(action) == 0 {
			t.Errorf("%s is not in the audit log", action)
		}
	}
}

// Two owners who leave at once must leave one behind.
func TestLastOwnerStaysWhateverTheConcurrency(t *testing.T) {
	p := openPeople(t, nil)
	for range 5 {
		first, made := p.owner(uuid.NewString() + "@example.org")
		second := p.colleague(first.AccessToken, uuid.NewString()+"@example.org", "owner")
		var wg sync.WaitGroup
		for _, token := range []string{first.AccessToken, second.AccessToken} {
			wg.Go(func() { p.post(leavePath, token, nil) })
		}
		wg.Wait()
		var owners int
		if err := p.pool.QueryRow(t.Context(), "SELECT count(*) FROM license_members WHERE license_id = $1 AND role = 'owner'", made.LicenseID).Scan(&owners); err != nil || owners != 1 {
			t.Errorf("%d owners, %v", owners, err)
		}
	}
}

func TestTransfer(t *testing.T) {
	p := openPeople(t, nil)
	owner, _ := p.owner("ada@example.org")
	viewer := p.colleague(owner.AccessToken, "bob@example.org", "viewer")
	bobID := p.accountID(viewer.AccessToken)
	ask := func(token, to, password string) answer {
		return p.post(transferPath, token, object{"account_id": to, "password": password})
	}
	ask(viewer.AccessToken, bobID, goodPassword).problem(t, 403, "forbidden")
	ask(owner.AccessToken, bobID, "wrong password").problem(t, 403, "password-wrong")
	ask(owner.AccessToken, uuid.NewString(), goodPassword).problem(t, 404, "not-found")
	ask(owner.AccessToken, p.accountID(owner.AccessToken), goodPassword).problem(t, 404, "not-found")
	var m MemberBody
	ask(owner.AccessToken, bobID, goodPassword).ok(t, 200, &m)
	if m.Role != auth.Owner {
		t.Errorf("got %+v", m)
	}
	ask(owner.AccessToken, bobID, goodPassword).problem(t, 403, "forbidden")
	if p.audited("license.transferred") != 1 {
		t.Error("not in the audit log")
	}
}

func TestInvitations(t *testing.T) {
	p := openPeople(t, nil)
	owner, made := p.owner("ada@example.org")
	first := p.invited(owner.AccessToken, "Bob@Example.org", "viewer")
	second := p.invited(owner.AccessToken, "bob@example.ORG", "admin")
	p.post(invitedPath, "", object{"token": first}).problem(t, 410, "link-invalid")
	var look InvitedBody
	p.post(invitedPath, "", object{"token": second}).ok(t, 200, &look)
	if look.Email != "bob@example.org" || look.Role != auth.Admin || look.InvitedBy != "ada@example.org" || look.LicenseName != "Network of ada@example.org" {
		t.Errorf("got %+v", look)
	}
	// Another account may not use it, and it is not used up by trying.
	stranger := p.signUp("eve@example.org")
	p.post(acceptPath, stranger.AccessToken, object{"token": second}).problem(t, 403, "other-email")
	p.post(acceptPath, "", object{"token": second}).problem(t, 422, "invalid-request")
	p.post(acceptPath, "", object{"token": second, "password": "short"}).problem(t, 422, "invalid-request")
	bob := p.signUp("bob@example.org")
	p.post(acceptPath, "", object{"token": second, "password": "not his password"}).problem(t, 401, "credentials-invalid")
	var joined TokensBody
	p.post(acceptPath, bob.AccessToken, object{"token": second}).ok(t, 200, &joined)
	if *joined.LicenseID != made.LicenseID || *joined.Role != auth.Admin {
		t.Errorf("got %+v", joined)
	}
	p.post(acceptPath, bob.AccessToken, object{"token": second}).problem(t, 410, "link-invalid")
	p.post(invitationsPath, owner.AccessToken, object{"email": "BOB@example.org", "role": "viewer"}).problem(t, 409, "already-member")
	p.post(invitationsPath, joined.AccessToken, object{"email": "eve@example.org", "role": "owner"}).problem(t, 403, "forbidden")
	// Who signs in with the link.
	carol := p.signUp("carol@example.org")
	_ = carol
	p.post(acceptPath, "", object{"token": p.invited(joined.AccessToken, "carol@example.org", "viewer"), "password": goodPassword, "delivery": "body"}).ok(t, 200, &joined)
	if joined.RefreshToken == "" {
		t.Error("no refresh token")
	}
	p.refresh(joined.RefreshToken).ok(t, 200, &joined)
	if joined.LicenseID == nil || *joined.LicenseID != made.LicenseID {
		t.Errorf("the session does not keep to the license: %+v", joined)
	}
	// Taken back, and expired.
	gone := p.invited(owner.AccessToken, "dan@example.org", "viewer")
	var list InvitationsBody
	p.get(t, invitationsPath, owner.AccessToken).ok(t, 200, &list)
	if len(list.Invitations) != 1 || strings.Contains(p.get(t, invitationsPath, owner.AccessToken).body, gone) {
		t.Fatalf("got %+v", list)
	}
	p.send(http.MethodDelete, invitationsPath+"/"+list.Invitations[0].InvitationID.String(), owner.AccessToken, nil).ok(t, 204, nil)
	p.post(invitedPath, "", object{"token": gone}).problem(t, 410, "link-invalid")
	late := p.invited(owner.AccessToken, "dan@example.org", "viewer")
	p.clock.pass(8 * 24 * time.Hour)
	p.post(acceptPath, "", object{"token": late, "password": goodPassword}).problem(t, 410, "link-invalid")
}

// An invitation is used once, whoever is fast.
func TestInvitationOnce(t *testing.T) {
	p := openPeople(t, nil)
	owner, _ := p.owner("ada@example.org")
	token := p.invited(owner.AccessToken, "bob@example.org", "viewer")
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range 6 {
		wg.Go(func() {
			a := p.post(acceptPath, "", object{"token": token, "password": goodPassword})
			mu.Lock()
			defer mu.Unlock()
			got[a.StatusCode]++
		})
	}
	wg.Wait()
	if got[200] != 1 || got[500] != 0 {
		t.Errorf("got %v", got)
	}
}
