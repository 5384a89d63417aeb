package natsauth_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"corrosion/api/natsauth"
)

func TestKeysAreMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "keys.json")
	made := make([]natsauth.Keys, 8)
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() {
			var err error
			if made[i], err = natsauth.LoadOrCreateKeys(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, keys := range made {
		if keys != made[0] || keys.Validate() != nil {
			t.Error("processes have different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := natsauth.LoadKeys(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by others: got %v", err)
	}
}

func TestKeyFileFaults(t *testing.T) {
	good, err := natsauth.LoadOrCreateKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	f := func(want string, change func(*natsauth.Keys)) {
		t.Helper()
		keys := good
		change(&keys)
		err := keys.Validate()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), good.PlatformPassword) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("issuer_seed", func(k *natsauth.Keys) { k.IssuerSeed = k.XKeySeed })
	f("issuer_seed", func(k *natsauth.Keys) { k.IssuerSeed = "" })
	f("xkey_seed", func(k *natsauth.Keys) { k.XKeySeed = k.IssuerSeed })
	f("account", func(k *natsauth.Keys) { k.Account = `A" } evil: { x` })
	f("platform_user", func(k *natsauth.Keys) { k.PlatformUser = "a b" })
	f("differ", func(k *natsauth.Keys) { k.SystemUser = k.PlatformUser })
	f("16 characters", func(k *natsauth.Keys) { k.SystemPassword = "short" })
	for _, text := range []string{"", "{", "[]", `{"unknown":1}`, "null"} {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := natsauth.LoadKeys(path); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// The server's configuration names no secret.
func TestServerConfigHasNoSecrets(t *testing.T) {
	keys, err := natsauth.LoadOrCreateKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := keys.ServerConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{keys.IssuerSeed, keys.XKeySeed, keys.PlatformPassword, keys.SystemPassword} {
		if strings.Contains(text, secret) {
			t.Error("a secret stands in the configuration")
		}
	}
}
