package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A token that is remembered expires like any other, and is not good under keys that no longer have its own.
func TestKnownTokensAreCheckedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwt.key")
	keys, err := LoadOrCreateKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	token, err := keys.Issue(testIdentity(), testNow, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if id, err := keys.Verify(token, testNow); err != nil || id.Subject != testIdentity().Subject {
			t.Fatal(id, err)
		}
	}
	if _, err := keys.Verify(token, testNow.Add(time.Hour+leeway+time.Second)); !errors.Is(err, ErrExpired) {
		t.Errorf("expired: %v", err)
	}
	if _, err := keys.Verify(token, testNow.Add(-time.Hour)); !errors.Is(err, ErrNotYet) {
		t.Errorf("before it was issued: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	others, err := LoadOrCreateKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	keys.current.Store(others.ring())
	if _, err := keys.Verify(token, testNow); !errors.Is(err, ErrSignature) {
		t.Errorf("under other keys: %v", err)
	}
}

func TestKnownTokensAreBounded(t *testing.T) {
	var known knownTokens
	for i := range 2 * mostKnown {
		known.add(strconv.Itoa(i), knownToken{})
	}
	if len(known.tokens) != mostKnown {
		t.Errorf("%d tokens are remembered", len(known.tokens))
	}
}
