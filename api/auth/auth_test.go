package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func testKeys(t *testing.T) *Keys {
	t.Helper()
	keys, err := LoadOrCreateKeys(filepath.Join(t.TempDir(), "jwt.key"))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func testIdentity() Identity {
	return Identity{Subject: "account-1", License: uuid.New(), Role: Viewer}
}

func TestIssueVerify(t *testing.T) {
	keys, want := testKeys(t), testIdentity()
	token, err := keys.Issue(want, testNow, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.Verify(token, testNow.Add(59*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != want.Subject || got.License != want.License || got.Role != want.Role {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.TokenID == "" || !got.ExpiresAt.Equal(testNow.Add(time.Hour)) {
		t.Errorf("got id %q, expiry %s", got.TokenID, got.ExpiresAt)
	}
	checkWireClaims(t, token, want)
}

func checkWireClaims(t *testing.T, token string, id Identity) {
	t.Helper()
	parts := strings.Split(token, ".")
	var header, body map[string]any
	for i, into := range []*map[string]any{&header, &body} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	if header["alg"] != "EdDSA" || header["kid"] == "" {
		t.Errorf("header %v", header)
	}
	for _, name := range []string{"iss", "aud", "sub", "license_id", "role", "exp", "iat", "jti"} {
		if body[name] == nil {
			t.Errorf("claim %s is missing in %v", name, body)
		}
	}
	if body["license_id"] != id.License.String() {
		t.Errorf("license_id %v", body["license_id"])
	}
}

func TestIssueRefuses(t *testing.T) {
	keys := testKeys(t)
	f := func(name string, change func(*Identity), ttl time.Duration) {
		t.Helper()
		id := testIdentity()
		change(&id)
		if _, err := keys.Issue(id, testNow, ttl); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f("no license", func(id *Identity) { id.License = uuid.Nil }, time.Hour)
	f("no subject", func(id *Identity) { id.Subject = "" }, time.Hour)
	f("unknown role", func(id *Identity) { id.Role = "root" }, time.Hour)
	f("no life", func(*Identity) {}, 0)
	f("too long a life", func(*Identity) {}, MaxTTL+1)
}

// sign makes a token with any claims under any of our own keys.
func sign(t *testing.T, method jwt.SigningMethod, key any, kid string, body jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, body)
	token.Header["kid"] = kid
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func goodClaims() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": Issuer, "aud": Audience, "sub": "a", "jti": "1", "role": "viewer", "license_id": uuid.NewString(),
		"iat": testNow.Unix(), "exp": testNow.Add(time.Hour).Unix(),
	}
}

func TestVerifyRefuses(t *testing.T) {
	keys := testKeys(t)
	signer := keys.newest()
	f := func(name string, want error, change func(jwt.MapClaims)) {
		t.Helper()
		body := goodClaims()
		change(body)
		_, err := keys.Verify(sign(t, jwt.SigningMethodEdDSA, signer.private, signer.id, body), testNow)
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	f("good", nil, func(jwt.MapClaims) {})
	f("expired", ErrExpired, func(c jwt.MapClaims) { c["exp"] = testNow.Add(-time.Minute).Unix() })
	f("no expiry", ErrClaims, func(c jwt.MapClaims) { delete(c, "exp") })
	f("issued later", ErrNotYet, func(c jwt.MapClaims) { c["iat"] = testNow.Add(time.Hour).Unix() })
	f("not before", ErrNotYet, func(c jwt.MapClaims) { c["nbf"] = testNow.Add(time.Hour).Unix() })
	f("other audience", ErrAudience, func(c jwt.MapClaims) { c["aud"] = "another" })
	f("no audience", ErrClaims, func(c jwt.MapClaims) { delete(c, "aud") })
	f("other issuer", ErrAudience, func(c jwt.MapClaims) { c["iss"] = "another" })
	f("no license", ErrNoLicense, func(c jwt.MapClaims) { delete(c, "license_id") })
	f("bad license", ErrNoLicense, func(c jwt.MapClaims) { c["license_id"] = "x" })
	f("unknown role", ErrClaims, func(c jwt.MapClaims) { c["role"] = "root" })
	f("no role", ErrClaims, func(c jwt.MapClaims) { delete(c, "role") })
	f("no subject", ErrClaims, func(c jwt.MapClaims) { delete(c, "sub") })
	f("no id", ErrClaims, func(c jwt.MapClaims) { delete(c, "jti") })
	f("no issue time", ErrClaims, func(c jwt.MapClaims) { delete(c, "iat") })
}

func TestVerifyRefusesForgeries(t *testing.T) {
	keys := testKeys(t)
	signer := keys.newest()
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	good := sign(t, jwt.SigningMethodEdDSA, signer.private, signer.id, goodClaims())
	parts := strings.Split(good, ".")
	other := strings.Split(sign(t, jwt.SigningMethodEdDSA, signer.private, signer.id, goodClaims()), ".")
	f := func(name, token string, want error) {
		t.Helper()
		if _, err := keys.Verify(token, testNow); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	f("alg none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, signer.id, goodClaims()), ErrAlgorithm)
	f("the public key as an HMAC secret",
		sign(t, jwt.SigningMethodHS256, []byte(signer.private.Public().(ed25519.PublicKey)), signer.id, goodClaims()), ErrAlgorithm)
	f("another key", sign(t, jwt.SigningMethodEdDSA, stranger, signer.id, goodClaims()), ErrSignature)
	f("another key id", sign(t, jwt.SigningMethodEdDSA, signer.private, "stranger", goodClaims()), ErrSignature)
	f("other claims under a good signature", parts[0]+"."+other[1]+"."+parts[2], ErrSignature)
	f("no signature", parts[0]+"."+parts[1]+".", ErrSignature)
	f("two parts", parts[0]+"."+parts[1], ErrMalformed)
	f("empty", "", ErrMalformed)
	f("rubbish", "a.b.c", ErrMalformed)
	expired := goodClaims()
	expired["exp"] = testNow.Add(-time.Hour).Unix()
	f("expired and forged", sign(t, jwt.SigningMethodEdDSA, stranger, signer.id, expired), ErrSignature)
}

func TestRoles(t *testing.T) {
	f := func(have, need Role, want bool) {
		t.Helper()
		if have.AtLeast(need) != want {
			t.Errorf("%s at least %s: want %v", have, need, want)
		}
	}
	f(Owner, Admin, true)
	f(Admin, Admin, true)
	f(Viewer, Admin, false)
	f("", "", false)
	f("root", Viewer, false)
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "jwt.key")
	first, err := LoadOrCreateKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, error %v", info.Mode(), err)
	}
	token, err := first.Issue(testIdentity(), testNow, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := RotateKeys(path); err != nil {
		t.Fatal(err)
	}
	second, err := LoadOrCreateKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if second.newest().id == first.newest().id {
		t.Error("the new key does not sign")
	}
	if _, err := second.Verify(token, testNow); err != nil {
		t.Errorf("a token under the old key: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("files left behind: %v", entries)
	}
}

func TestKeyFileMadeOnceByManyStarters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwt.key")
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			keys, err := LoadOrCreateKeys(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = keys.newest().id
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("different keys: %v", ids)
		}
	}
}

func TestKeyFileRefused(t *testing.T) {
	dir := t.TempDir()
	f := func(name, content string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadOrCreateKeys(path); err == nil {
			t.Errorf("%s: no error", name)
		}
		if left, _ := os.ReadFile(path); string(left) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
	f("empty", "", 0o600)
	f("rubbish", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600)
	block, err := newKeyPEM(testNow)
	if err != nil {
		t.Fatal(err)
	}
	f("open to others", string(block), 0o644)
}

func TestPassword(t *testing.T) {
	cheap := PasswordParams{Time: 1, MemoryKiB: 64, Threads: 1}
	phc, err := HashPassword("correct horse", cheap)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("PHC string %s", phc)
	}
	f := func(password string, want bool) {
		t.Helper()
		if got, err := CheckPassword(phc, password); got != want || err != nil {
			t.Errorf("%q: got %v, %v", password, got, err)
		}
	}
	f("correct horse", true)
	f("correct horsf", false)
	f("", false)
	f(strings.Repeat("x", MaxPasswordLen+1), false)
	if NeedsRehash(phc, cheap) || !NeedsRehash(phc, DefaultPasswordParams()) {
		t.Error("NeedsRehash is wrong")
	}
	if again, _ := HashPassword("correct horse", cheap); again == phc {
		t.Error("the salt is not random")
	}
	if _, err := HashPassword("short", cheap); !errors.Is(err, ErrPasswordLength) {
		t.Errorf("short password: %v", err)
	}
}

func TestPasswordHashRefused(t *testing.T) {
	for _, phc := range []string{
		"", "x", "$argon2i$v=19$m=64,t=1,p=1$YWFhYWFhYWE$YWFhYWFhYWFhYWFhYWFhYQ",
		"$argon2id$v=19$m=64,t=0,p=1$YWFhYWFhYWE$YWFhYWFhYWFhYWFhYWFhYQ",
		"$argon2id$v=19$m=64,t=1,p=1$YWFhYWFhYWE$YWE",
		"$argon2id$v=19$m=4294967295,t=1,p=1$YWFhYWFhYWE$YWFhYWFhYWFhYWFhYWFhYQ",
	} {
		if ok, err := CheckPassword(phc, "x"); ok || !errors.Is(err, ErrPasswordHash) {
			t.Errorf("%q: got %v, %v", phc, ok, err)
		}
	}
}

// Who could read the keys before they were rotated can read them after, also where somebody else rotated them.
func TestRotatedKeysStayReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwt.key")
	if _, err := LoadOrCreateKeys(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	const group = 65532
	if os.Getuid() == 0 {
		if err := os.Chown(path, 0, group); err != nil {
			t.Fatal(err)
		}
	}
	if err := RotateKeys(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %o, %v", info.Mode().Perm(), err)
	}
	if owned, ok := info.Sys().(*syscall.Stat_t); ok && os.Getuid() == 0 && (owned.Uid != 0 || owned.Gid != group) {
		t.Errorf("of user %d, group %d", owned.Uid, owned.Gid)
	}
}
