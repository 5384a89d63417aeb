package api

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"corrosion/api/auth"
	"corrosion/api/live"
	"corrosion/deploy/local/localtest"
	"corrosion/schema/schematest"
)

// nasty are words that have broken others: into SQL, headers, paths, templates and terminals.
func nasty() []string {
	return []string{
		"' OR '1'='1", "'; DROP TABLE samples; --", "1) UNION ALL SELECT password_hash FROM users --", `\'; SELECT sleep(3)`, "{license:UUID}", "%27%20OR%201=1",
		"\r\nSet-Cookie: a=b", "a\nX-Evil: 1", "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "file:///etc/passwd", "/\\evil.example",
		"${jndi:ldap://x}", "{{7*7}}", "<script>alert(1)</script>", "\x00", "\xff\xfe", strings.Repeat("A", 9000), "юникод", "مرحبا", "👾", "\u202egnp.exe", "NaN", "-1", "1e999", "99999999999999999999",
	}
}

// corpusServer has every route that there is, but for those of people.
func corpusServer(t *testing.T) *harness {
	t.Helper()
	pool, conn := schematest.Postgres(t), schematest.ClickHouse(t)
	return openStoredOn(t, pool, withPlatform(t, pool, ""), withJobsOn(t, pool), withKeys(pool, time.Now),
		withLive(t, localtest.NATSURL(t), func(_ *live.Config, d *live.Deps) { d.Seeder = live.NewStore(conn) }),
		func(c *Config, _ *Deps) {
			plenty := Quota{Requests: 1_000_000, Window: time.Minute}
			c.TokenQuota, c.LicenseQuota, c.AddressQuota = plenty, plenty, plenty
		})
}

// sane checks what every answer must be, whatever was asked.
func sane(t *testing.T, what string, a answer) {
	t.Helper()
	if a.StatusCode >= 500 && a.StatusCode != 503 {
		t.Errorf("%s: %d %.300s", what, a.StatusCode, a.body)
	}
	for _, leak := range []string{"X-Evil", "Set-Cookie"} {
		if a.Header.Get(leak) != "" {
			t.Errorf("%s: header %s got through", what, leak)
		}
	}
	for _, leak := range []string{"SQLSTATE", "syntax error", "DB::Exception", "goroutine ", "pgx", "root:x:"} {
		if strings.Contains(a.body, leak) {
			t.Errorf("%s: the answer has %q: %.300s", what, leak, a.body)
		}
	}
	if a.StatusCode >= 400 && !strings.HasPrefix(a.Header.Get("Content-Type"), problemType) {
		t.Errorf("%s: %d as %s", what, a.StatusCode, a.Header.Get("Content-Type"))
	}
}

// eachOperation calls f with every documented operation that a license's token opens.
func eachOperation(t *testing.T, h *harness, f func(method, path string)) {
	t.Helper()
	for _, operation := range documentedOperations(t, h) {
		method, path, _ := strings.Cut(operation, " ")
		if !strings.HasPrefix(path, adminPrefix+"/") {
			f(method, path)
		}
	}
}

// fill puts a word in the place of every parameter of a path.
func fill(path, word string) string {
	var out strings.Builder
	for path != "" {
		before, rest, found := strings.Cut(path, "{")
		out.WriteString(before)
		if !found {
			break
		}
		_, path, _ = strings.Cut(rest, "}")
		out.WriteString(url.PathEscape(word))
	}
	return out.String()
}

// No word in a path or in any parameter of any route breaks out of where it stands.
func TestNastyWordsAreHarmless(t *testing.T) {
	h := corpusServer(t)
	token := h.token(t, ourLicense, auth.Owner)
	eachOperation(t, h, func(method, path string) {
		for _, word := range nasty() {
			if strings.Contains(path, "{") {
				sane(t, method+" "+path+" with "+fmt.Sprintf("%.40q", word), h.do(t, method, fill(path, word), token))
			}
		}
		values := url.Values{}
		for i, name := range h.parameters(method, path) {
			values.Set(name, nasty()[i%len(nasty())])
		}
		for shift := 0; shift < len(nasty()) && len(values) > 0; shift++ {
			for i, name := range h.parameters(method, path) {
				values.Set(name, nasty()[(i+shift)%len(nasty())])
			}
			a := h.do(t, method, fill(path, uuid.NewString())+"?"+values.Encode(), token)
			sane(t, fmt.Sprintf("%s %s?%.200s", method, path, values.Encode()), a)
		}
	})
}

// parameters are the query parameters of an operation, in any order.
func (h *harness) parameters(method, path string) (names []string) {
	for name := range h.known[knownKey(method, path)] {
		if name != "follow" { // a live stream that follows never ends
			names = append(names, name)
		}
	}
	return names
}

// Every route says that a parameter is unknown, or given twice where it may be once.
func TestParametersOfEveryRoute(t *testing.T) {
	h := corpusServer(t)
	token := h.token(t, ourLicense, auth.Owner)
	eachOperation(t, h, func(method, path string) {
		if !strings.HasPrefix(path, "/api/") || path == livePath || path == demoLivePath {
			return
		}
		a := h.do(t, method, fill(path, uuid.NewString())+"?colour=red&colour=blue", token)
		sane(t, method+" "+path, a)
		if a.StatusCode < 400 {
			t.Errorf("%s %s takes an unknown parameter: %d", method, path, a.StatusCode)
		}
	})
}

// Bodies of every kind of nonsense are refused with a word about it, by every route that takes one, and change nothing.
func TestNastyBodiesAreRefused(t *testing.T) {
	h := corpusServer(t)
	token := h.token(t, ourLicense, auth.Owner)
	nested := strings.Repeat(`{"a":[`, 120_000) + strings.Repeat("]}", 120_000) // just below 1 MiB
	bodies := map[string]string{
		"nested": nested, "deep array": strings.Repeat("[", 500_000), "null": "null",
		"array": "[]", "text": `"x"`, "number": "1", "half": `{"kind":`, "two": "{}{}", "twice": `{"kind":"note","kind":"wipe"}`, "not UTF-8": "{\"title\":\"\xff\"}",
		"unknown": `{"colour":"red"}`, "types": `{"kind":{},"title":[],"server_id":1,"name":{},"range":{}}`, "proto": `{"__proto__":{"admin":true}}`,
	}
	eachOperation(t, h, func(method, path string) {
		if method != http.MethodPost && method != http.MethodPut && method != http.MethodPatch || strings.HasSuffix(path, "archive") {
			return
		}
		call := fill(path, "fresh-"+uuid.NewString()[:8])
		for name, body := range bodies {
			a := h.send(t, method, call, token, body)
			sane(t, method+" "+path+" with "+name, a)
			if a.StatusCode < 400 {
				t.Errorf("%s %s takes %s: %d", method, path, name, a.StatusCode)
			}
		}
		for _, kind := range []string{"text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"} {
			a := h.send(t, method, call, token, `{"colour":"red"}`, "Content-Type", kind)
			sane(t, method+" "+path+" as "+kind, a)
			if a.StatusCode < 400 {
				t.Errorf("%s %s takes %s: %d", method, path, kind, a.StatusCode)
			}
		}
	})
}

// No header that a client sends comes back but where it is meant to, and none breaks a request.
func TestNastyHeadersAreHarmless(t *testing.T) {
	h := corpusServer(t)
	token := h.token(t, ourLicense, auth.Owner)
	for _, name := range []string{"If-None-Match", "If-Match", "Range", "Accept", "Accept-Encoding", "Idempotency-Key", "X-Request-Id", "X-Forwarded-For", "Origin", "Traceparent", "User-Agent", "Last-Event-ID"} {
		for _, word := range nasty() {
			if strings.ContainsAny(word, "\r\n\x00") {
				continue // no client sends these in a header
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+eventsPath, bytes.NewReader([]byte(`{"kind":"note","title":"x"}`)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+token)
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set(name, word)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatalf("%s: %.40q: %v", name, word, err)
			}
			body := &bytes.Buffer{}
			_, _ = body.ReadFrom(response.Body)
			response.Body.Close()
			sane(t, name+": "+fmt.Sprintf("%.40q", word), answer{response, body.String(), nil})
		}
	}
}
