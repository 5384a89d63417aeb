package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"corrosion/schema"
)

// liveStream reads a live stream's lines until one has what a test waits for.
type liveStream struct {
	t     *testing.T
	body  *http.Response
	lines *bufio.Reader
}

func (p *platform) live(t *testing.T, path, token string) *liveStream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.HTTP+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	return &liveStream{t, response, bufio.NewReader(response.Body)}
}

func (s *liveStream) until(want string) string {
	s.t.Helper()
	timer := time.AfterFunc(20*time.Second, func() { s.body.Body.Close() })
	defer timer.Stop()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			s.t.Fatalf("no %s: %v", want, err)
		}
		if strings.Contains(line, want) {
			return line
		}
	}
}

// send posts a JSON body.
func (p *platform) send(path, token, body string) (status int, answer string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.HTTP+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// suspend does to a license what an operator may do.
func (p *platform) suspend(license uuid.UUID) {
	p.t.Helper()
	pool, err := pgxpool.New(p.t.Context(), p.Postgres)
	if err != nil {
		p.t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(p.t.Context(), "UPDATE licenses SET suspended_at = now() WHERE id = $1", license); err != nil {
		p.t.Fatal(err)
	}
}

// The whole way: a sample that was stored is in the first snapshot, one that is published comes at once, and streams end
// with their session and with their license.
func TestLive(t *testing.T) {
	p := startPlatform(t, "--demo")
	mine, token := p.license("Live")
	license := uuid.MustParse(mine)
	nc, err := nats.Connect(p.NATS)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	publish := func(server string, players int) {
		body := fmt.Sprintf(`{"server_id":%q,"players":%d,"ts":%d}`, server, players, time.Now().UnixMilli())
		if err := nc.Publish(schema.StatsSubject(license), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	publish("stored", 3)
	p.awaitSamples(mine, 1)
	stream := p.live(t, "/api/analytics/live", token)
	if snapshot := stream.until(`"current":3`); !strings.Contains(snapshot, `"server_id":"stored"`) {
		t.Errorf("snapshot %s", snapshot)
	}
	publish("fresh", 4)
	stream.until(`"current":7`)
	p.live(t, "/api/public/demo/live", "").until(`"complete":true`)

	status, body := p.send("/api/auth/login", "", `{"email":"demo@corrosion.local","password":"demo"}`)
	var signedIn struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &signedIn); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	person := p.live(t, "/api/analytics/live", signedIn.AccessToken)
	person.until(`"complete":true`)
	if status, body := p.send("/api/auth/logout", signedIn.AccessToken, "{}"); status >= 300 {
		t.Fatalf("%d %s", status, body)
	}
	person.until(`{"reason":"session-ended"}`)

	p.suspend(license)
	stream.until(`{"reason":"license-suspended"}`)
}

// A stream that an API key opened ends soon after the key is revoked, and one without read:modules is told nothing of
// installations.
func TestKeyAndItsStream(t *testing.T) {
	p := startPlatform(t)
	ada := p.register("ada@example.org", "correct horse battery")
	var made struct {
		ID string `json:"license_id"`
	}
	ada.ask("POST", "/api/licenses", ada.access, fields{"name": "Keys"}, &made, 201)
	ada.take("/api/auth/token", fields{"license_id": made.ID})
	var key struct {
		ID  string `json:"key_id"`
		Key string
	}
	ada.ask("POST", "/api/license/keys", ada.access, fields{"name": "screen", "scopes": []string{"read:analytics"}}, &key, 201)
	stream, person := p.live(t, "/api/analytics/live", key.Key), p.live(t, "/api/analytics/live", ada.access)
	stream.until("event: snapshot")
	person.until("event: snapshot")
	ada.ask("POST", "/api/modules/loot-manager/purchase", ada.access, nil, nil, 201)
	ada.ask("POST", "/api/modules/loot-manager/install", ada.access, fields{"server_id": "eu-1"}, nil, 202)
	person.until("event: installation")
	ada.ask("DELETE", "/api/license/keys/"+key.ID, ada.access, nil, nil, 204)
	said := stream.rest()
	if !strings.Contains(said, `{"reason":"session-ended"}`) || strings.Contains(said, "installation") {
		t.Errorf("the key's stream said %s", said)
	}
}

// rest is everything until the stream ends, which must be soon.
func (s *liveStream) rest() string {
	s.t.Helper()
	timer := time.AfterFunc(20*time.Second, func() { s.body.Body.Close() })
	defer timer.Stop()
	text, err := io.ReadAll(s.lines)
	if err != nil {
		s.t.Errorf("the stream did not end as a whole answer: %v", err)
	}
	return string(text)
}
