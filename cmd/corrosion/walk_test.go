package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
)

// ask sends JSON with a token and decodes the answer, which must have the status.
func (p *platform) ask(method, path, token string, body, out any, status int) string {
	p.t.Helper()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		sent = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.HTTP+path, sent)
	if err != nil {
		p.t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		p.t.Fatalf("%s %s: %d %s, %v, want %d", method, path, response.StatusCode, text, err, status)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			p.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return string(text)
}

type fields = map[string]any

// person is one who walks through the guide.
type person struct {
	*platform
	access, refresh string
}

func (p *platform) register(email, password string) *person {
	p.t.Helper()
	p.ask("POST", "/api/auth/register", "", fields{"email": email, "password": password, "name": "Ада 李"}, nil, 202)
	w := &person{platform: p}
	w.take("/api/auth/login", fields{"email": email, "password": password, "delivery": "body"})
	return w
}

// take keeps the tokens of an answer.
func (w *person) take(path string, body fields) {
	w.t.Helper()
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	w.ask("POST", path, w.access, body, &tokens, 200)
	w.access = tokens.Access
	if tokens.Refresh != "" {
		w.refresh = tokens.Refresh
	}
}

// publish connects as the guide's game server does and waits for JetStream's word.
func (w *person) publish(user, password, inbox, subject, sample string) (*nats.Conn, error) {
	w.t.Helper()
	address := w.NATS[strings.LastIndex(w.NATS, "@")+1:]
	conn, err := nats.Connect("nats://"+strings.TrimPrefix(address, "nats://"), nats.UserInfo(user, password), nats.CustomInboxPrefix(inbox))
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	_, err = js.Publish(w.t.Context(), subject, []byte(sample))
	return conn, err
}

// The guide's section "From nothing to a nightly export with curl", by HTTP and NATS against a real serve.
func TestFromNothingToANightlyExport(t *testing.T) {
	p := startPlatform(t)
	ada := p.register("ada@example.org", "correct horse battery")
	var made struct {
		ID      string `json:"license_id"`
		User    string `json:"nats_user"`
		Pass    string `json:"nats_password"`
		Subject string `json:"stats_subject"`
		Inbox   string `json:"inbox_prefix"`
	}
	ada.ask("POST", "/api/licenses", ada.access, fields{"name": "My network"}, &made, 201)
	ada.take("/api/auth/token", fields{"license_id": made.ID})
	conn, err := ada.publish(made.User, made.Pass, made.Inbox, made.Subject, `{"server_id":"eu-1","players":42,"fps":59.5}`)
	if err != nil {
		t.Fatal(err)
	}
	var summary struct {
		Samples int
		Players struct{ Current float64 }
	}
	localtest.CheckFor(t, 20*time.Second, 50*time.Millisecond, func() error {
		ada.ask("GET", "/api/analytics/summary?range=1h", ada.access, nil, &summary, 200)
		if summary.Samples != 1 || summary.Players.Current != 42 {
			return fmt.Errorf("%+v", summary)
		}
		return nil
	})
	ada.invites(t)
	var key struct {
		ID  string `json:"key_id"`
		Key string
	}
	ada.ask("POST", "/api/license/keys", ada.access, fields{"name": "nightly", "scopes": []string{"export"}, "expires_in_days": 365}, &key, 201)
	file := p.ask("GET", "/api/analytics/export?range=24h&format=csv", key.Key, nil, nil, 200)
	if !strings.Contains(file, `"eu-1"`) || !strings.HasPrefix(file, `"ts","server_id"`) {
		t.Errorf("the export is %q", file)
	}
	for _, path := range []string{"/api/analytics/summary", "/api/license/members", "/api/license/archive", "/api/auth/me", "/api/admin/licenses"} {
		p.ask("GET", path, key.Key, nil, nil, 403)
	}
	p.ask("POST", "/api/analytics/servers", key.Key, fields{"server_id": "mine"}, nil, 403)
	ada.ask("DELETE", "/api/license/keys/"+key.ID, ada.access, nil, nil, 204)
	localtest.CheckFor(t, 10*time.Second, 50*time.Millisecond, func() error {
		if status, body := p.get(key.Key, "/api/analytics/export", nil, nil); status != 401 {
			return fmt.Errorf("the revoked key still gets %d %s", status, body)
		}
		return nil
	})
	ada.rotates(t, conn, made.User, made.Pass, made.Inbox, made.Subject)
	p.awaitSamples(made.ID, 2) // what is on its way when the first look is over is erased by the next
	ada.erases(t, made.ID)
}

// invites has a colleague join as a viewer, who may look and nothing else.
func (w *person) invites(t *testing.T) {
	t.Helper()
	var invitation struct{ Link string }
	w.ask("POST", "/api/license/invitations", w.access, fields{"email": "bob@example.org", "role": "viewer"}, &invitation, 201)
	page, token, _ := strings.Cut(invitation.Link, "#token=")
	if !strings.HasPrefix(page, w.platform.Endpoints.HTTP+"/") {
		t.Errorf("the link leads to %s, the platform is at %s", page, w.platform.Endpoints.HTTP)
	}
	bob := &person{platform: w.platform}
	bob.take("/api/auth/invitations/accept", fields{"token": token, "password": "another good one", "name": "Bob", "delivery": "body"})
	bob.ask("GET", "/api/analytics/summary?range=1h", bob.access, nil, nil, 200)
	for path, body := range map[string]fields{
		"/api/license/keys": {"name": "mine", "scopes": []string{"export"}}, "/api/license/invitations": {"email": "eve@example.org", "role": "viewer"},
		"/api/license/nats-users": {"server_id": "mine"}, "/api/analytics/servers": {"server_id": "mine"},
	} {
		bob.ask("POST", path, bob.access, body, nil, 403)
	}
	bob.ask("PATCH", "/api/license", bob.access, fields{"name": "Bob's"}, nil, 403)
	bob.ask("DELETE", "/api/license", bob.access, fields{"name": "My network", "password": "another good one"}, nil, 403)
	bob.ask("GET", "/api/license/archive", bob.access, nil, nil, 403)
}

// rotates ends the connection of the old password.
func (w *person) rotates(t *testing.T, conn *nats.Conn, user, before, inbox, subject string) {
	t.Helper()
	var made struct {
		Pass string `json:"nats_password"`
	}
	w.ask("POST", "/api/license/nats-users/"+user+"/rotate", w.access, nil, &made, 200)
	localtest.CheckFor(t, 10*time.Second, 50*time.Millisecond, func() error {
		if conn.IsConnected() {
			return fmt.Errorf("the old connection is still there")
		}
		return nil
	})
	if _, err := w.publish(user, before, inbox, subject, `{"server_id":"eu-1"}`); err == nil {
		t.Error("the old password still lets in")
	}
	if _, err := w.publish(user, made.Pass, inbox, subject, `{"server_id":"eu-1","players":43}`); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

// erases has the license gone, and looks that its rows are.
func (w *person) erases(t *testing.T, license string) {
	t.Helper()
	archive := w.ask("GET", "/api/license/archive", w.access, nil, nil, 200)
	if !strings.Contains(archive, "manifest.json") {
		t.Error("the archive has no manifest")
	}
	var receipt struct {
		ID      string `json:"erasure_id"`
		Status  string
		Removed map[string]uint64
	}
	w.ask("DELETE", "/api/license", w.access, fields{"name": "My network", "password": "correct horse battery"}, &receipt, 202)
	localtest.CheckFor(t, 60*time.Second, 100*time.Millisecond, func() error {
		w.ask("GET", "/api/licenses/erasures/"+receipt.ID, w.access, nil, &receipt, 200)
		if receipt.Status == "pending" || receipt.Removed["clickhouse.samples"] == 0 {
			return fmt.Errorf("%+v", receipt)
		}
		return nil
	})
	if got := w.sql("SELECT count() FROM corrosion.samples WHERE license_id = '" + license + "'"); got != "0" {
		t.Errorf("%s samples are left", got)
	}
	localtest.CheckFor(t, 10*time.Second, 50*time.Millisecond, func() error { // a license's standing is believed for a second
		if status, body := w.get(w.access, "/api/license", nil, nil); status != 401 {
			return fmt.Errorf("the erased license still gets %d %s", status, body)
		}
		return nil
	})
	w.ask("GET", "/api/auth/me", w.access, nil, nil, 200)
}
