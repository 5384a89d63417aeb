package auth

import (
	"path/filepath"
	"testing"
)

// Only what NewToken made is taken, and only as its own kind.
func FuzzTokenDigest(f *testing.F) {
	good, _ := NewToken(RefreshToken)
	for _, seed := range []string{good, good + "=", good[:46], "crr_", "", "crp_" + good[4:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		digest, err := TokenDigest(RefreshToken, text)
		if err == nil && (len(digest) != 32 || len(text) != 47) {
			t.Errorf("%q is taken", text)
		}
		if _, err := TokenDigest(ResetToken, text); err == nil && text[:4] != string(ResetToken) {
			t.Errorf("%q is taken as another kind", text)
		}
	})
}

// No text but a signed one is a token, and none makes the decoder panic.
func FuzzVerify(f *testing.F) {
	keys, err := LoadOrCreateKeys(filepath.Join(f.TempDir(), "jwt.key"))
	if err != nil {
		f.Fatal(err)
	}
	good, err := keys.Issue(testIdentity(), testNow, DefaultTTL)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, good[:len(good)-1], "..", "a.b.c", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := keys.Verify(text, testNow); err == nil && !id.complete() {
			t.Errorf("%q is taken", text)
		}
	})
}
