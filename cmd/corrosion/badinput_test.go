package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"corrosion/deploy/local/localtest"
	"corrosion/schema"
)

// publisher connects to the platform's NATS with all rights.
func (p *platform) publisher() jetstream.JetStream {
	p.t.Helper()
	conn, err := nats.Connect(p.NATS)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		p.t.Fatal(err)
	}
	return js
}

// sql is one value from ClickHouse.
func (p *platform) sql(query string) string {
	p.t.Helper()
	return strings.TrimSpace(p.corrosion("sql", "--format", "TSV", query))
}

// awaitSamples waits until a license has n stored samples.
func (p *platform) awaitSamples(license string, n int) {
	p.t.Helper()
	localtest.CheckFor(p.t, 30*time.Second, 50*time.Millisecond, func() error {
		if got := p.sql("SELECT count() FROM corrosion.samples WHERE license_id = '" + license + "'"); got != fmt.Sprint(n) {
			return fmt.Errorf("%s samples stored, want %d", got, n)
		}
		return nil
	})
}

// Whatever a publisher sends, the sample beside it is stored, and what is bad stands among the dead letters once, with
// its reason.
func TestBadSamplesHarmNobody(t *testing.T) {
	p := startPlatform(t)
	license, _ := p.license("bad input")
	js := p.publisher()
	const good = `{"server_id":"good","players":1}`
	bomb := gzipped(t, bytes.Repeat([]byte(" "), 64<<20))
	crowd := "[" + strings.Repeat(good+",", 10_000) + good + "]"
	cases := []struct {
		name, subject, encoding, body string
		stored                        int
		reason                        string
	}{
		{"truncated JSON", "", "", `{"server_id":"a","players":`, 0, "malformed"},
		{"truncated line", "", "", good + "\n" + `{"server_id":"a","pla`, 1, "malformed"},
		{"wrong type", "", "", "[" + good + `,{"server_id":"a","players":"7"}]`, 1, "wrong-type"},
		{"not a number", "", "", good + "\n" + `{"server_id":"a","fps":NaN}`, 1, "malformed"},
		{"negative", "", "", "[" + good + `,{"server_id":"a","players":-1}]`, 1, "out-of-range"},
		{"10,001 samples", "", "", crowd, 0, "too-many-samples"},
		{"zip bomb", "", "gzip", string(bomb), 0, "too-large"},
		{"ts in 2099", "", "", "[" + good + `,{"server_id":"a","ts":"2099-01-01T00:00:00Z"}]`, 1, "ts-ahead"},
		{"server with a slash", "", "", "[" + good + `,{"server_id":"a/b"}]`, 1, "bad-server-id"},
		{"server with a dot", "", "", "[" + good + `,{"server_id":"a.b"}]`, 1, "bad-server-id"},
		{"unknown license", schema.StatsSubject(uuid.New()), "", good, 0, "unknown-license"},
		{"license that is no UUID", "corrosion.nobody.stats", "", good, 0, "bad-subject"},
	}
	stored := 0
	for _, c := range cases {
		subject := c.subject
		if subject == "" {
			subject = "corrosion." + license + ".stats"
		}
		message := nats.NewMsg(subject)
		message.Data = []byte(c.body)
		if c.encoding != "" {
			message.Header.Set("Content-Encoding", c.encoding)
		}
		if _, err := js.PublishMsg(t.Context(), message); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		stored += c.stored
	}
	p.awaitSamples(license, stored)
	letters := p.deadLetters(js, len(cases))
	for i, c := range cases {
		if got := letters[i]; got != c.reason {
			t.Errorf("%s: dead for %q, want %q", c.name, got, c.reason)
		}
	}
	if out := p.corrosion("dead", "list", "--reason", "ts-ahead"); !strings.Contains(out, license) || strings.Count(out, "\n") != 2 {
		t.Errorf("dead list --reason ts-ahead: got\n%s", out)
	}
	_, metrics := p.get("", "/metrics", nil, nil)
	if !strings.Contains(metrics, "corrosion_ingest_samples_rejected_total") {
		t.Error("/metrics does not count what was rejected")
	}
}

// deadLetters are the reasons of all dead letters, in the order in which their messages came.
func (p *platform) deadLetters(js jetstream.JetStream, want int) []string {
	p.t.Helper()
	bySeq := map[int]string{}
	localtest.CheckFor(p.t, 20*time.Second, 50*time.Millisecond, func() error {
		stream, err := js.Stream(p.t.Context(), schema.StreamDead)
		if err != nil {
			return err
		}
		state := stream.CachedInfo().State
		if int(state.Msgs) != want {
			return fmt.Errorf("%d dead letters, want %d", state.Msgs, want)
		}
		for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
			letter, err := stream.GetMsg(p.t.Context(), seq)
			if err != nil {
				return err
			}
			from, err := strconv.Atoi(letter.Header.Get("Corrosion-Seq"))
			if err != nil {
				return err
			}
			bySeq[from] = letter.Header.Get("Corrosion-Reason")
		}
		return nil
	})
	var reasons []string
	for _, seq := range slices.Sorted(maps.Keys(bySeq)) {
		reasons = append(reasons, bySeq[seq])
	}
	return reasons
}

func gzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Requests that make no sense, and tokens that are not for this, get a problem that says what is wrong and where.
func TestBadRequests(t *testing.T) {
	p := startPlatform(t)
	license, token := p.license("mine")
	_, other := p.license("theirs")
	p.publish(license, `{"server_id":"a","players":5}`)
	p.awaitSamples(license, 1)

	f := func(name, token, path string, query url.Values, want int, says string) {
		t.Helper()
		status, body := p.get(token, path, query, nil)
		if status != want || !strings.Contains(body, says) {
			t.Errorf("%s: got %d %s; want %d with %q", name, status, body, want, says)
		}
	}
	const summary, series = "/api/analytics/summary", "/api/analytics/timeseries"
	f("no token", "", summary, nil, 401, "token")
	f("token signed with none", unsigned(t, license), summary, nil, 401, "EdDSA")
	f("expired token", p.expired(license), summary, nil, 401, "expired")
	f("unknown parameter", token, summary, url.Values{"rang": {"24h"}}, 422, "rang")
	f("from after to", token, summary, url.Values{"from": {"2026-02-02T00:00:00Z"}, "to": {"2026-02-01T00:00:00Z"}}, 422, "query.from")
	f("a million points", token, series, url.Values{"metric": {"players"}, "range": {"12d"}, "step": {"1s"}}, 422, "points")
	f("another license named", token, summary, url.Values{"license_id": {license}}, 422, "license_id")
	var theirs struct{ Samples int }
	if status, body := p.get(other, summary, nil, &theirs); status != http.StatusOK || theirs.Samples != 0 {
		t.Errorf("another license's token: got %d %s; want its own empty summary", status, body)
	}
}

func (p *platform) publish(license, body string) {
	p.t.Helper()
	if _, err := p.publisher().Publish(p.t.Context(), "corrosion."+license+".stats", []byte(body)); err != nil {
		p.t.Fatal(err)
	}
}

func unsigned(t *testing.T, license string) string {
	t.Helper()
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"iss": "corrosion", "aud": "corrosion-api", "sub": "x",
		"license_id": license, "role": "owner", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "1"}).
		SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// expired is a token that was good for one second, some time ago.
func (p *platform) expired(license string) string {
	p.t.Helper()
	token := strings.TrimSpace(p.corrosion("token", "--license", license, "--ttl", "1s"))
	var claims struct {
		Exp int64 `json:"exp"`
	}
	payload, err := jwt.NewParser().DecodeSegment(strings.Split(token, ".")[1])
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		p.t.Fatal(err)
	}
	const leeway = 5 * time.Second // clocks may differ
	localtest.CheckFor(p.t, 15*time.Second, 200*time.Millisecond, func() error {
		if left := time.Until(time.Unix(claims.Exp, 0).Add(leeway)); left > 0 {
			return fmt.Errorf("valid for another %s", left)
		}
		return nil
	})
	return token
}
