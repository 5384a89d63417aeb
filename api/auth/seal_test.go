package auth

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestSeal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwt.key")
	keys, err := LoadOrCreateKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := keys.Seal("cursor", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Unseal("cursor", text); err != nil || string(got) != "value" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := RotateKeys(path); err != nil {
		t.Fatal(err)
	}
	rotated, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rotated.Unseal("cursor", text); err != nil || string(got) != "value" {
		t.Errorf("after a new key: got %q, %v", got, err)
	}
	refused := func(name string, k *Keys, purpose, text string) {
		t.Helper()
		if got, err := k.Unseal(purpose, text); !errors.Is(err, ErrSeal) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	refused("another purpose", keys, "other", text)
	refused("another installation", testKeys(t), "cursor", text)
	refused("nothing", keys, "cursor", "")
	refused("not base64", keys, "cursor", "!")
	for i := range text { // every character counts, the last one's spare bits too
		changed := []byte(text)
		changed[i] = 'A' + (changed[i]-'A'+1)%26
		if string(changed) != text {
			refused("changed at "+string(rune('0'+i%10)), keys, "cursor", string(changed))
		}
		refused("cut", keys, "cursor", text[:i])
	}
}
