package command

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// ring is a Signer.
type ring []ed25519.PrivateKey

func (r ring) SignAll(message []byte) (signatures [][]byte) {
	for _, key := range r {
		signatures = append(signatures, ed25519.Sign(key, message))
	}
	return signatures
}

func newKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

var begin = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func sample() Command {
	return Command{
		Schema: Schema, ID: uuid.MustParse("11111111-0000-4000-8000-000000000001"), Action: Install, Module: "loot-manager",
		Version: "1.0.0", URL: "https://files.example.org/LootManager.cs", SHA256: strings.Repeat("ab", 32), File: "LootManager.cs",
		Size: 10, License: uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001"), Server: "eu-1", Attempt: 1,
		Issued: begin, Expires: begin.Add(time.Hour),
	}
}

func recipientOf(c Command, keys ...ed25519.PublicKey) Recipient {
	return Recipient{License: c.License, Server: c.Server, Keys: keys}
}

func TestOpen(t *testing.T) {
	ours, newer, stranger := newKey('a'), newKey('b'), newKey('c')
	c := sample()
	payload, signatures, err := Sign(c, ring{ours, newer})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, r Recipient, payload []byte, signatures []string, at time.Time, want error) {
		t.Helper()
		got, err := r.Open(payload, signatures, at)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if err == nil && got != c {
			t.Errorf("%s: opened %+v", name, got)
		}
	}
	now := begin.Add(time.Minute)
	r := recipientOf(c, public(ours))
	f("enrolled with the older key", r, payload, signatures, now, nil)
	f("enrolled with the newer key", recipientOf(c, public(newer)), payload, signatures, now, nil)
	f("another platform's agent", recipientOf(c, public(stranger)), payload, signatures, now, ErrUnsigned)
	f("no signature", r, payload, nil, now, ErrUnsigned)
	f("rubbish", r, payload, []string{"rubbish"}, now, ErrUnsigned)
	f("at the expiry", r, payload, signatures, c.Expires, ErrExpired)
	f("before it was issued, by a slow clock", r, payload, signatures, begin.Add(-48*time.Hour), nil)
	f("another server's", Recipient{License: c.License, Server: "eu-2", Keys: r.Keys}, payload, signatures, now, ErrForeign)
	f("another license's", Recipient{License: uuid.New(), Server: "eu-1", Keys: r.Keys}, payload, signatures, now, ErrForeign)
	for i := range payload { // every altered byte
		altered := append([]byte{}, payload...)
		altered[i] ^= 1
		f("altered", r, altered, signatures, now, ErrUnsigned)
	}
	bare := ed25519.Sign(ours, payload)
	f("signed for another purpose", r, payload, []string{string(bare)}, now, ErrUnsigned)
}

func TestCheckNamesEveryFault(t *testing.T) {
	c := Command{Schema: 2, Action: "explode", File: "../x", Module: "A B"}
	err := c.Check()
	for _, want := range []string{"schema", "id", "license", "attempt", "module", "expires", "file", "action"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named by %v", want, err)
		}
	}
	if _, _, err := Sign(c, ring{newKey('a')}); err == nil {
		t.Error("a bad command was signed")
	}
}

func TestValidFile(t *testing.T) {
	f := func(name string, want bool) {
		t.Helper()
		if got := ValidFile(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	f("LootManager.cs", true)
	f("loot-manager_2.dll", true)
	for _, bad := range []string{
		"", ".", "..", "../x", "a/b", `a\b`, "/etc/passwd", `C:\x`, "C:x", ".hidden", "x.", "nul", "NUL.cs", "com1.txt",
		"a\x00b", "a b", "é.cs", strings.Repeat("x", 129), "-rf", "a:stream",
	} {
		f(bad, false)
	}
}

func TestParseStatusSubject(t *testing.T) {
	license := uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001")
	if l, server, ok := ParseStatusSubject(StatusSubject(license, "eu-1")); !ok || l != license || server != "eu-1" {
		t.Error(l, server, ok)
	}
	for _, subject := range []string{
		"corrosion." + license.String() + ".stats.status", "corrosion.x.eu-1.status", "corrosion." + license.String() + ".eu-1.cmd",
		"corrosion.AAAAAAAA-0000-4000-8000-000000000001.eu-1.status", "", "corrosion...status",
	} {
		if _, _, ok := ParseStatusSubject(subject); ok {
			t.Errorf("%q was taken for a status", subject)
		}
	}
}

func TestReadMessage(t *testing.T) {
	f := func(text string, ok bool) {
		t.Helper()
		if _, err := ReadMessage([]byte(text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	const id = `"id":"11111111-0000-4000-8000-000000000001"`
	f(`{"schema":1,`+id+`,"status":"downloading","progress":40,"error":null,"at":"2026-11-25T12:00:00Z"}`, true)
	f(`{"schema":1,"kind":"heartbeat","agent":"1","installed":[],"reports":[]}`, true)
	for _, bad := range []string{
		"", "null", "[]", `{"schema":2,` + id + `,"status":"installed"}`, `{"schema":1,` + id + `,"status":"pending"}`,
		`{"schema":1,"status":"installed"}`, `{"schema":1,"kind":"x"}`, `{"schema":1,` + id + `,"status":"installed","attempt":-1}`,
		`{"schema":1,"kind":"heartbeat","installed":[{` + id + `,"module":"../x","condition":"ok"}]}`,
		strings.Repeat(" ", MaxStatusBytes) + "{}",
	} {
		f(bad, false)
	}
}

func FuzzOpen(f *testing.F) {
	key := newKey('a')
	payload, signatures, err := Sign(sample(), ring{key})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload, signatures[0])
	f.Add([]byte("{}"), "")
	r := recipientOf(sample(), public(key))
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		if c, err := r.Open(body, []string{signature}, begin); err == nil && string(body) != string(payload) {
			t.Errorf("opened what was never signed: %+v", c)
		}
	})
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte(`{"schema":1,"id":"11111111-0000-4000-8000-000000000001","status":"failed","error":"x","code":"digest"}`))
	f.Add([]byte(`{"schema":1,"kind":"heartbeat","installed":[],"reports":[]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := ReadMessage(payload)
		if err == nil && (m.Heartbeat == nil) == (m.Status == nil) {
			t.Error("neither a heartbeat nor a status, or both")
		}
	})
}
